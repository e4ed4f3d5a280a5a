"""Completion by click, but for the space that it puts behind the ``=`` of a parameter.

Imported only when a shell asks, which is when ``_JUTSU_SQL_COMPLETE`` is set.
"""

from __future__ import annotations

from click.shell_completion import BashComplete, ZshComplete, add_completion_class

_PLAIN = "COMPREPLY+=($value)"


@add_completion_class
class _Bash(BashComplete):
    source_template = BashComplete.source_template.replace(
        _PLAIN, f"{_PLAIN}; [[ $value == *= ]] && compopt -o nospace"
    )


@add_completion_class
class _Zsh(ZshComplete):
    source_template = ZshComplete.source_template.replace(
        "compadd -U",
        "local -a tight=(); [[ $completions[1] == *= ]] && tight=(-S '');"
        ' compadd "${tight[@]}" -U',
    )
