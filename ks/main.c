// ksd - the GDOI key server. Order of start: harden, read the file, open port, control socket and
// threads (ks_io), become the configured user, serve.
#include <string.h>

#include "common/crypto/crypto.h"
#include "common/ctl/daemon.h"
#include "common/ctl/priv.h"
#include "coop/coop_key.h"
#include "ks/ks_io.h"

static const char help_text[] =
	"NAME\n"
	"    ksd - GDOI key server (RFC 6407, RFC 8263)\n"
	"\n"
	"SYNOPSIS\n"
	"    ksd -f FILE [-n] [-d MODULE] [--mint-new] [--keylog FILE]\n"
	"    ksd -f FILE --check\n"
	"    ksd --coop-key FILE\n"
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
	"    --coop-key FILE  make the key that cooperative key servers share, write it to FILE, "
	"leave.\n"
	"                   To be carried to the others by hand; members never get it\n"
	"    --help         this text\n"
	"    --version      print the version\n"
	"\n"
	"    The process stays in the foreground, as service managers want it.\n"
	"\n"
	"SIGNALS\n"
	"    HUP   read the configuration again. A wrong file changes nothing. Changed policy is\n"
	"          staged (show crypto gdoi ks policy diff) until \"crypto gdoi ks rekey\" sends "
	"it.\n"
	"    TERM  end, wiping all keys.\n"
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
	ks_conf_describe(stdout);
}

static int check(const char *file)
{
	struct ks_conf *conf = ks_conf_load(file, daemon_report_stderr, NULL);

	if (!conf)
		return 1;
	printf("%s: right: %zu groups\n", file, conf->n_groups);
	ks_conf_free(conf);
	return 0;
}

static int serve(const struct daemon_args *a, bool mint_new)
{
	struct ks_options options = KS_OPTIONS_DEFAULT;
	struct ks_conf *conf;
	struct ks_io *io;
	FILE *keylog;
	char user[sizeof(conf->user)];
	int err;

	conf = ks_conf_load(a->file, daemon_report_log, NULL);
	if (!conf)
		return 1;
	memcpy(user, conf->user, sizeof(user));
	options.mint_new = mint_new;
	if (daemon_keylog(a, &keylog)) {
		ks_conf_free(conf);
		return 1;
	}
#if CONCLAVE_KEYLOG
	options.keylog = keylog;
#endif
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

// Once for a set, by hand; not part of a daemon's life.
static int make_coop_key(const char *file)
{
	struct rng rng;
	const char *why;

	if (crypto_init()) {
		fprintf(stderr, "ksd: this OpenSSL lacks an algorithm that is needed\n");
		return 1;
	}
	crypto_rng_init(&rng);
	if (coop_key_make(file, &rng, &why)) {
		fprintf(stderr, "ksd: %s: %s\n", file, why);
		return 1;
	}
	printf("%s: a new key, readable for its owner alone\n", file);
	return 0;
}

int main(int argc, char **argv)
{
	bool mint_new = false;
	const struct daemon_about about = {
		.name = "ksd",
		.version = CONCLAVE_VERSION CONCLAVE_KEYLOG_WORD,
		.help = help,
		.modules = true,
		.keylog = true,
		.flag = "mint-new",
		.flag_set = &mint_new,
	};
	struct daemon_args a;
	int status;

	if (argc == 3 && strcmp(argv[1], "--coop-key") == 0)
		return make_coop_key(argv[2]);
	status = daemon_begin(&about, argc, argv, &a);
	if (status >= 0)
		return status;
	log_init("ksd", !a.to_stderr);
	if (crypto_init()) {
		log_err(MAIN, NULL, "this OpenSSL lacks an algorithm that is needed");
		return 1;
	}
	return a.check ? check(a.file) : serve(&a, mint_new);
}
