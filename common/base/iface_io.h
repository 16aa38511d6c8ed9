// common/base/iface_io.h - the interface that carries an address.
// Groups are joined and sent to on an interface, not on an address, where IPv6 is concerned.
#pragma once
#include "common/base/addr.h"

// Its index, 0 when no interface has the address now.
unsigned iface_of(const struct addr *own);
