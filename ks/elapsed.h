// ks/elapsed.h - how much time went by while nobody looked.
// What is stored carries times on a scale of its own (the store's age), which goes on through
// restarts and reboots: age = mono + base. Each write stamps the clocks; the next start finds base
// from the stamp.
//
//	same boot      the boot-time clock proves it; the wall clock may prove more (a machine
//	               that was frozen and thawed)
//	other boot     the wall clock says it; the time since this boot proves a part of it
//	wall clock     nobody knows: what was stored goes on for now, to be replaced at once
//	 went back
//
// From:   store_io.c.
// Always: of two proofs the larger counts: lives get shorter by it, never longer.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define KS_BOOT_ID_LEN 36

struct ks_clocks {
	int64_t mono_ms, wall_ms;
	char boot[KS_BOOT_ID_LEN + 1]; // names this boot of the machine
};

struct ks_stamp {
	int64_t age_ms;
	struct ks_clocks clocks;
};

// False: unknown; base_ms then counts only what is proved.
bool ks_elapsed(const struct ks_stamp *then, const struct ks_clocks *now, int64_t *base_ms);
