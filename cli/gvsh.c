// cli/gvsh.c - the operator's shell: a client of the daemons' control sockets.
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/shell.h"
#include "cli/term.h"

static const char help_text[] =
	"NAME\n"
	"    gvsh - ask and command the Conclave daemons, as IOS spells it\n"
	"\n"
	"SYNOPSIS\n"
	"    gvsh [-s SOCKET] [-j] [-c COMMAND]\n"
	"\n"
	"OPTIONS\n"
	"    -s SOCKET   control socket of the daemon to ask. Without it the word ks in a\n"
	"                command means " SHELL_KSD_SOCKET ", the word gm\n"
	"                " SHELL_GMD_SOCKET ", and any other command goes to\n"
	"                whichever of the two knows it.\n"
	"    -c COMMAND  carry out one command and leave; a password is better typed, or read\n"
	"                from standard input: what starts gvsh may keep its arguments\n"
	"    -j          print the answer as JSON (names are stable: docs/cli.md)\n"
	"    --help      this text\n"
	"    --version   print the version\n"
	"\n"
	"    Without -c lines are read until exit or end of input: with editing, history,\n"
	"    Tab and ? on a terminal, plainly otherwise.\n"
	"\n"
	"COMMANDS\n"
	"    The daemons own the commands; ? lists what may stand next. Words may be cut short\n"
	"    while they stay unambiguous (sh cry gdoi ks mem). Output can be piped:\n"
	"        COMMAND | include RE    lines that match the regular expression\n"
	"        COMMAND | exclude RE    lines that do not\n"
	"        COMMAND | begin RE      from the first line that matches\n"
	"        COMMAND | section RE    matching lines and what is indented below them\n"
	"        COMMAND | count RE      how many lines match\n"
	"\n"
	"EXIT STATUS\n"
	"    0 the (last) command was carried out, 1 it was refused, 2 no daemon answered or\n"
	"    gvsh was called wrongly\n";

static int exit_status(enum shell_status s)
{
	return s == SHELL_NO_ANSWER ? 2 : s == SHELL_REFUSED ? 1 : 0;
}

// Whoever lists the processes reads their arguments: a password does not stay there.
static char *take_command(char *arg)
{
	char *copy = strdup(arg);

	BUG_ON(!copy);
	if (shell_hides(arg))
		memset(arg, '*', strlen(arg));
	return copy;
}

static void drop_command(char *command)
{
	if (command)
		explicit_bzero(command, strlen(command));
	free(command);
}

static int run_command(struct shell *s, char *command)
{
	int status = exit_status(shell_run(s, command));

	drop_command(command);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = { { "help", no_argument, NULL, 'h' },
						  { "version", no_argument, NULL, 'V' },
						  { NULL, 0, NULL, 0 } };
	struct shell s = { .out = stdout, .err = stderr, .echo = true };
	char *command = NULL;
	int opt;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	while ((opt = getopt_long(argc, argv, "s:c:j", longopts, NULL)) != -1) {
		switch (opt) {
		case 's':
			s.socket = optarg;
			break;
		case 'c':
			drop_command(command); // the last one counts
			command = take_command(optarg);
			break;
		case 'j':
			s.json = true;
			break;
		case 'h':
			fputs(help_text, stdout);
			return 0;
		case 'V':
			printf("gvsh, Conclave %s\n", CONCLAVE_VERSION);
			return 0;
		default:
			fputs("usage: gvsh [-s SOCKET] [-j] [-c COMMAND] (gvsh --help tells "
			      "more)\n",
			      stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "gvsh: \"%s\" is not expected here: quote the command behind -c\n",
			argv[optind]);
		return 2;
	}
	if (command)
		return run_command(&s, command);
	s.echo = false;
	return exit_status(term_loop(&s));
}
