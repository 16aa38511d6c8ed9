// ksd - the GDOI key server. Order of start: harden, read the file, open port, control socket and
// threads (ks_io), become the configured user, serve.
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include "common/crypto/crypto.h"
#include "common/ctl/priv.h"
#include "ks/ks_io.h"

static const char help_text[] =
	"NAME\n"
	"    ksd - GDOI key server (RFC 6407, RFC 8263)\n"
	"\n"
	"SYNOPSIS\n"
	"    ksd -f FILE [-n] [-d MODULE] [--mint-new] [--keylog FILE]\n"
	"    ksd -f FILE --check\n"
	"\n"
	"OPTIONS\n"
	"    -f FILE        configuration, see below\n"
	"    -n             log to standard error rather than to syslog\n"
	"    -d MODULE      debug lines of a module (main, conf, ctl, ike, pull, rekey) or all\n"
	"    --check        read the configuration, report every problem, leave: 0 right, 1 wrong\n"
	"    --mint-new     the state was restored from a backup: give every group new keys, and "
	"tell\n"
	"                   members to register again (once; not a word for unit files)\n"
	"    --keylog FILE  lab builds only: append session keys to FILE, one JSON object a line\n"
	"    --help         this text\n"
	"    --version      print the version\n"
	"\n"
	"    The process stays in the foreground, as service managers want it.\n"
	"\n"
	"SIGNALS\n"
	"    HUP   read the configuration again. A wrong file changes nothing. Changed policy is\n"
	"          logged as POLICY_CHANGE and goes out with \"crypto gdoi ks rekey\".\n"
	"    TERM  end, wiping all keys.\n"
	"\n"
	"EXIT STATUS\n"
	"    0 ended on request, or --check found nothing wrong; 1 could not start, or the\n"
	"    configuration is wrong; 2 called wrongly\n"
	"\n"
	"CONFIGURATION\n"
	"    libconfig syntax; times in seconds. Words, types, defaults:\n\n";

struct args {
	const char *file, *keylog;
	bool to_stderr, check, mint_new;
};

static void help(void)
{
	fputs(help_text, stdout);
	ks_conf_describe(stdout);
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
	fprintf(stderr, "ksd: %s (try ksd --help)\n", why);
	return 2;
}

static void report_stderr(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

static int check(const char *file)
{
	struct ks_conf *conf = ks_conf_load(file, report_stderr, NULL);

	if (!conf)
		return 1;
	printf("%s: right: %zu groups\n", file, conf->n_groups);
	ks_conf_free(conf);
	return 0;
}

#if CONCLAVE_KEYLOG
static int open_keylog(const char *path, struct ks_options *o)
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
static int open_keylog(const char *path, struct ks_options *o)
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
	struct ks_options options = KS_OPTIONS_DEFAULT;
	struct ks_conf *conf;
	struct ks_io *io;
	char user[sizeof(conf->user)];
	int err;

	conf = ks_conf_load(a->file, ks_conf_report_log, NULL);
	if (!conf)
		return 1;
	memcpy(user, conf->user, sizeof(user));
	options.mint_new = a->mint_new;
	if (open_keylog(a->keylog, &options)) {
		ks_conf_free(conf);
		return 1;
	}
	if (ks_io_new(a->file, conf, &options, &io))
		return 1;
	err = priv_drop(user);
	if (err)
		log_err(MAIN, NULL, "cannot become user \"%s\": %s", user, strerror(-err));
	else
		ks_io_run(io);
	ks_io_free(io);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "check", no_argument, NULL, 'c' },	    { "mint-new", no_argument, NULL, 'm' },
		{ "keylog", required_argument, NULL, 'k' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },	    { NULL, 0, NULL, 0 }
	};
	struct args a = { 0 };
	int opt;

	priv_harden();
	while ((opt = getopt_long(argc, argv, "d:f:n", longopts, NULL)) != -1) {
		switch (opt) {
		case 'f':
			a.file = optarg;
			break;
		case 'n':
			a.to_stderr = true;
			break;
		case 'd':
			if (!debug_module(optarg))
				return usage("-d: no such module");
			break;
		case 'c':
			a.check = true;
			break;
		case 'm':
			a.mint_new = true;
			break;
		case 'k':
			a.keylog = optarg;
			break;
		case 'h':
			help();
			return 0;
		case 'V':
			printf("ksd %s%s\n", CONCLAVE_VERSION,
			       CONCLAVE_KEYLOG ? " (lab build: keylog)" : "");
			return 0;
		default:
			return usage("unknown option");
		}
	}
	if (!a.file || optind != argc)
		return usage("-f FILE is what it wants");
	log_init("ksd", !a.to_stderr);
	if (crypto_init()) {
		log_err(MAIN, NULL, "this OpenSSL lacks an algorithm that is needed");
		return 1;
	}
	return a.check ? check(a.file) : serve(&a);
}
