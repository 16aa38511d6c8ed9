// gmd - the GDOI group member. Order of start: harden, read the file, open port, control socket
// and thread (gm_io), become the configured user, serve.
#include <string.h>

#include "common/crypto/crypto.h"
#include "common/ctl/daemon.h"
#include "common/ctl/priv.h"
#include "gm/gm_io.h"

static const char help_text[] =
	"NAME\n"
	"    gmd - GDOI group member (RFC 6407, RFC 8263)\n"
	"\n"
	"SYNOPSIS\n"
	"    gmd -f FILE [-n] [-d MODULE] [--keylog FILE]\n"
	"    gmd -f FILE --check\n"
	"\n"
	"DESCRIPTION\n"
	"    Registers with the first key server of each group that answers, follows its rekeys,\n"
	"    and gives espd the keys and the policy. Until it has registered espd goes on with "
	"what\n"
	"    it has. When all keys of a group have ended its traffic is dropped, not sent in "
	"clear.\n"
	"\n"
	"OPTIONS\n"
	"    -f FILE        configuration, see below\n"
	"    -n             log to standard error rather than to syslog\n"
	"    -d MODULE      debug lines of a module (main, conf, ctl, ike, pull, rekey, teks, dp)\n"
	"                   or all; may be given several times\n"
	"    --check        read the configuration, report every problem, leave: 0 right, 1 wrong\n"
	"    --keylog FILE  lab builds only: append session keys to FILE, one JSON object a line\n"
	"    --help         this text\n"
	"    --version      print the version\n"
	"\n"
	"    The process stays in the foreground, as service managers want it.\n"
	"\n"
	"SIGNALS\n"
	"    HUP   read the configuration again. A wrong file changes nothing; a group that did "
	"not\n"
	"          change keeps its registration. address, port and sockets change with a "
	"restart.\n"
	"    TERM  end, wiping all keys. espd goes on until their hard life.\n"
	"\n"
	"EXIT STATUS\n"
	"    0 ended on request, or --check found nothing wrong; 1 could not start, or the\n"
	"    configuration is wrong; 2 called wrongly\n"
	"\n"
	"CONFIGURATION\n"
	"    libconfig syntax; times in seconds. Words, types, defaults:\n\n";

static void help(void)
{
	fputs(help_text, stdout);
	gm_conf_describe(stdout);
}

static int check(const char *file)
{
	struct gm_conf *conf = gm_conf_load(file, daemon_report_stderr, NULL);

	if (!conf)
		return 1;
	printf("%s: right: %zu groups\n", file, conf->n_groups);
	gm_conf_free(conf);
	return 0;
}

static int serve(const struct daemon_args *a)
{
	struct gm_io_options options = { .conf_path = a->file };
	struct gm_conf *conf = gm_conf_load(a->file, daemon_report_log, NULL);
	struct gm_io *io;
	char user[sizeof(conf->user)];
	int err;

	if (!conf)
		return 1;
	memcpy(user, conf->user, sizeof(user));
	if (daemon_keylog(a, &options.keylog)) {
		gm_conf_free(conf);
		return 1;
	}
	if (gm_io_new(&options, conf, &io))
		return 1;
	err = priv_drop_but_ports(user);
	if (err)
		log_err(MAIN, NULL, "cannot become user \"%s\": %s", user, strerror(-err));
	else
		gm_io_run(io);
	gm_io_free(io);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct daemon_about about = {
		.name = "gmd",
		.version = CONCLAVE_VERSION CONCLAVE_KEYLOG_WORD,
		.help = help,
		.modules = true,
		.keylog = true,
	};
	struct daemon_args a;
	int status = daemon_begin(&about, argc, argv, &a);

	if (status >= 0)
		return status;
	if (a.check)
		return check(a.file);
	log_init("gmd", !a.to_stderr);
	status = crypto_init();
	if (status) {
		log_err(MAIN, NULL, "cryptography: %s", strerror(-status));
		return 1;
	}
	return serve(&a);
}
