// gmd - the GDOI group member. Order of start: harden, read the file, open port, control socket
// and thread (gm_io), become the configured user, serve.
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include "common/crypto/crypto.h"
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

struct args {
	const char *file, *keylog;
	bool to_stderr, check;
};

static void help(void)
{
	fputs(help_text, stdout);
	gm_conf_describe(stdout);
}

static bool debug_module(const char *name)
{
	bool known = false;

	for (int m = 0; m < LOG_M_COUNT; m++) {
		if (strcmp(name, "all") == 0 ||
		    strcmp(name, log_module_name((enum log_module)m)) == 0) {
			log_set_level((enum log_module)m, LOG_L_DEBUG);
			known = true;
		}
	}
	return known;
}

static int usage(const char *why)
{
	fprintf(stderr, "gmd: %s (try gmd --help)\n", why);
	return 2;
}

static void report_stderr(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

static void report_log(void *arg, const char *text)
{
	(void)arg;
	log_err(CONF, NULL, "%s", text);
}

static int check(const char *file)
{
	struct gm_conf *conf = gm_conf_load(file, report_stderr, NULL);

	if (!conf)
		return 1;
	printf("%s: right: %zu groups\n", file, conf->n_groups);
	gm_conf_free(conf);
	return 0;
}

#if CONCLAVE_KEYLOG
static int open_keylog(const char *path, struct gm_io_options *o)
{
	if (!path)
		return 0;
	umask(077);
	o->keylog = fopen(path, "ae");
	if (!o->keylog) {
		log_err(MAIN, NULL, "cannot open %s: %s", path, strerror(errno));
		return -errno;
	}
	event_log(EV_KEYLOG_ON, NULL, "file=%s", path);
	return 0;
}
#else
static int open_keylog(const char *path, struct gm_io_options *o)
{
	(void)o;
	if (!path)
		return 0;
	log_err(MAIN, NULL, "--keylog: this build cannot write keys (meson -Dkeylog=true can)");
	return -EINVAL;
}
#endif

static int serve(const struct args *a)
{
	struct gm_io_options options = { .conf_path = a->file };
	struct gm_conf *conf = gm_conf_load(a->file, report_log, NULL);
	struct gm_io *io;
	char user[sizeof(conf->user)];
	int err;

	if (!conf)
		return 1;
	memcpy(user, conf->user, sizeof(user));
	if (open_keylog(a->keylog, &options)) {
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

static int parse(int argc, char **argv, struct args *a)
{
	static const struct option longopts[] = { { "check", no_argument, NULL, 'c' },
						  { "keylog", required_argument, NULL, 'k' },
						  { "help", no_argument, NULL, 'h' },
						  { "version", no_argument, NULL, 'V' },
						  { NULL, 0, NULL, 0 } };
	int opt;

	while ((opt = getopt_long(argc, argv, "d:f:n", longopts, NULL)) != -1) {
		switch (opt) {
		case 'f':
			a->file = optarg;
			break;
		case 'n':
			a->to_stderr = true;
			break;
		case 'd':
			if (!debug_module(optarg))
				return usage("-d: no such module");
			break;
		case 'c':
			a->check = true;
			break;
		case 'k':
			a->keylog = optarg;
			break;
		case 'h':
			help();
			exit(0);
		case 'V':
			printf("gmd %s%s\n", CONCLAVE_VERSION, CONCLAVE_KEYLOG ? " (keylog)" : "");
			exit(0);
		default:
			return 2;
		}
	}
	if (optind != argc)
		return usage("too many words");
	return a->file ? 0 : usage("-f FILE is missing");
}

int main(int argc, char **argv)
{
	struct args a = { 0 };
	int err;

	priv_harden();
	err = parse(argc, argv, &a);
	if (err)
		return err;
	if (a.check)
		return check(a.file);
	log_init("gmd", !a.to_stderr);
	err = crypto_init();
	if (err) {
		log_err(MAIN, NULL, "cryptography: %s", strerror(-err));
		return 1;
	}
	return serve(&a);
}
