#include "dataplane/eal.h"

#include <dirent.h>
#include <fcntl.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_ARGS (24 + 2 * ESPD_MAX_PORTS)

static bool is_pci(const char *device)
{
	return device[0] >= '0' && device[0] <= '9';
}

bool eal_wants_pci(const struct conf *c)
{
	for (unsigned i = 0; i < c->n_ports; i++)
		if (is_pci(c->ports[i].device))
			return true;
	return false;
}

// The main thread and a worker without a core of its own float over every CPU we may use.
static void lcores_text(const struct conf *c, char *out, size_t size)
{
	cpu_set_t set;
	char all[512] = "";
	size_t n = 0, at;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	for (int cpu = 0; cpu < CPU_SETSIZE && n + 8 < sizeof(all); cpu++)
		if (CPU_ISSET(cpu, &set))
			n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%d", n ? "," : "", cpu);
	at = (size_t)snprintf(out, size, "0@(%s)", all);
	if (c->n_cores == 0)
		snprintf(out + at, size - at, ",1@(%s)", all);
	for (unsigned i = 0; i < c->n_cores && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, ",%u@%u", i + 1, c->cores[i]);
}

static void prefix_text(char *out, size_t size)
{
	snprintf(out, size, "espd-%d", (int)getpid());
}

int eal_start(const struct conf *c)
{
	char lcores[2048], prefix[32], memory[16], *argv[MAX_ARGS];
	int n = 0;

	lcores_text(c, lcores, sizeof(lcores));
	prefix_text(prefix, sizeof(prefix));
	snprintf(memory, sizeof(memory), "%u", c->memory_mb);
	argv[n++] = (char *)"espd";
	argv[n++] = (char *)"--lcores";
	argv[n++] = lcores;
	argv[n++] = (char *)"--main-lcore=0";
	argv[n++] = (char *)"--file-prefix";
	argv[n++] = prefix;
	argv[n++] = (char *)"-m";
	argv[n++] = memory;
	// The two exclude each other: without hugepages everything is in memory anyway.
	argv[n++] = (char *)(c->hugepages ? "--in-memory" : "--no-huge");
	argv[n++] = (char *)"--no-telemetry";
	argv[n++] = (char *)"--force-max-simd-bitwidth=512"; // rte_acl with AVX-512
	argv[n++] = (char *)"--log-level=4";
	if (!eal_wants_pci(c))
		argv[n++] = (char *)"--no-pci";
	for (unsigned i = 0; i < c->n_ports; i++) {
		if (!is_pci(c->ports[i].device))
			continue;
		argv[n++] = (char *)"-a";
		argv[n++] = (char *)(uintptr_t)c->ports[i].device;
	}
	return rte_eal_init(n, argv) < 0 ? -rte_errno : 0;
}

// DPDK leaves its runtime directory behind.
static void runtime_dir_remove(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	rmdir(path);
}

void eal_stop(void)
{
	char prefix[32], path[64];

	rte_eal_cleanup();
	prefix_text(prefix, sizeof(prefix));
	snprintf(path, sizeof(path), "/var/run/dpdk/%s", prefix);
	runtime_dir_remove(path);
}
