// common/pki/enrol_work.h - one enrolment from key to file, for a thread that may wait.
//
//	FILE.new    the key of an enrolment under way: kept, so that the next attempt asks for the
//	            same certificate again, also after a restart
//	FILE        key, certificate, intermediates, in one PEM file: replaced at once and whole
//
// Always: nothing of the present certificate changes before its successor is whole on disk.
#pragma once
#include "common/ike/auth.h"

#define ENROL_POLL_MAX_S   600	 // between two questions about a request that waits
#define ENROL_POLL_TOTAL_S 86400 // then the request is given up

struct enrol_work {
	enum cmp_kind kind;
	struct ike_enrol conf;
	int id_want;	     // of the trustpoint
	struct trust *trust; // a reference of its own
	cmp_exchange *exchange;
	bool (*sleep)(void *arg, int seconds); // false: stop
	void *arg;
	// -- result --
	bool done;
	char why[CMP_WHY_LEN];
	char *pem; // what FILE holds now; NULL unless done
	size_t pem_len;
};

struct enrol_work *enrol_work_new(const struct ike_trustpoint *tp);
void enrol_work_free(struct enrol_work *w); // wipes; NULL is fine
void enrol_work_run(struct enrol_work *w);

// Why a trustpoint that goes by names of the kind id_want has no use for it; NULL: it has.
const char *enrol_flaw(const struct cert *c, int id_want);
