"""The commands as their users see them: names, options, help.

What does a command is imported when it runs, so that `planhub --help` waits for none of it.
"""
