#include "common/wire/gdoi.h"

#define GDOI_CASE_ROW(name, value, text)                                                           \
	case (value):                                                                              \
		return (text);
#define GDOI_KNOWN_ROW(name, value, text) case (value):
#define GDOI_DEFINE(reg, list)                                                                     \
	const char *reg##_name(unsigned value)                                                     \
	{                                                                                          \
		switch (value) {                                                                   \
			list(GDOI_CASE_ROW)                                                        \
		}                                                                                  \
		return "unassigned";                                                               \
	}                                                                                          \
	bool reg##_known(unsigned value)                                                           \
	{                                                                                          \
		switch (value) {                                                                   \
			list(GDOI_KNOWN_ROW) return true;                                          \
		}                                                                                  \
		return false;                                                                      \
	}
GDOI_REGISTRIES(GDOI_DEFINE)

const uint8_t vid_natt[GDOI_VID_LEN] = { 0x4a, 0x13, 0x1c, 0x81, 0x07, 0x03, 0x58, 0x45,
					 0x5c, 0x57, 0x28, 0xf2, 0x0e, 0x95, 0x45, 0x2f };
const uint8_t vid_dpd[GDOI_VID_LEN] = { 0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9,
					0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57, 0x01, 0x00 };
const uint8_t vid_conclave[GDOI_VID_LEN] = { 0x1e,
					     0x58,
					     0x3d,
					     0x36,
					     0x30,
					     0xd3,
					     0x67,
					     0x0c,
					     0xe4,
					     0x2d,
					     0x59,
					     0xb6,
					     VID_CONCLAVE_MAJOR,
					     VID_CONCLAVE_MINOR,
					     VID_CONCLAVE_BYPASS >> 8,
					     VID_CONCLAVE_BYPASS & 0xff };
