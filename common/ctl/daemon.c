#include "common/ctl/daemon.h"

#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/events.h"
#include "common/ctl/priv.h"

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

static int usage(const struct daemon_about *d, const char *why)
{
	fprintf(stderr, "%s: %s (try %s --help)\n", d->name, why, d->name);
	return 2;
}

// One option. -1: fine.
static int take(const struct daemon_about *d, int opt, struct daemon_args *a)
{
	switch (opt) {
	case 'f':
		a->file = optarg;
		return -1;
	case 'n':
		a->to_stderr = true;
		return -1;
	case 'd':
		return debug_module(optarg) ? -1 : usage(d, "-d: no such module");
	case 'c':
		a->check = true;
		return -1;
	case 'k':
		a->keylog = optarg;
		return -1;
	case 'o':
		*d->flag_set = true;
		return -1;
	case 'h':
		d->help();
		return 0;
	case 'V':
		printf("%s %s\n", d->name, d->version);
		return 0;
	default:
		return usage(d, "unknown option");
	}
}

int daemon_begin(const struct daemon_about *d, int argc, char **argv, struct daemon_args *a)
{
	struct option longs[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "foreground", no_argument, NULL, 'n' },
		{ "check", no_argument, NULL, 'c' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }, // room for two
		{ NULL, 0, NULL, 0 },
		{ NULL, 0, NULL, 0 },
	};
	size_t n = 5;
	int opt, status = -1;

	if (d->keylog)
		longs[n++] = (struct option){ "keylog", required_argument, NULL, 'k' };
	if (d->flag)
		longs[n++] = (struct option){ d->flag, no_argument, NULL, 'o' };
	priv_harden();
	*a = (struct daemon_args){ NULL };
	while (status < 0 && (opt = getopt_long(argc, argv, d->modules ? "d:f:ncVh" : "f:ncVh",
						longs, NULL)) != -1)
		status = take(d, opt, a);
	if (status < 0 && optind != argc)
		status = usage(d, "too many words");
	if (status < 0 && !a->file)
		status = usage(d, "-f FILE is missing");
	return status;
}

void daemon_report_stderr(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

void daemon_report_log(void *arg, const char *text)
{
	(void)arg;
	if (strstr(text, ": warning: "))
		log_warn(CONF, NULL, "%s", text);
	else
		log_err(CONF, NULL, "%s", text);
}

int daemon_keylog(const struct daemon_args *a, FILE **out)
{
	*out = NULL;
	if (!a->keylog)
		return 0;
#if CONCLAVE_KEYLOG
	umask(077);
	*out = fopen(a->keylog, "ae");
	if (!*out) {
		log_err(MAIN, NULL, "cannot open %s: %s", a->keylog, strerror(errno));
		return -errno;
	}
	event_log(EV_KEYLOG_ON, NULL, "file=%s", a->keylog);
	return 0;
#else
	log_err(MAIN, NULL, "--keylog: this build cannot write keys (meson -Dkeylog=true can)");
	return -EINVAL;
#endif
}
