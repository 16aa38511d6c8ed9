// cli/term.h - lines from a person: editing, history, `?`, Tab. The only file on libedit.
#pragma once
#include "cli/shell.h"

// Until exit or end of input. Returns the status of the last command. Reads plain lines when
// standard input is no terminal.
enum shell_status term_loop(struct shell *s);
