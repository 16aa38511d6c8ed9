#include "dataplane/port.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <rte_bus_vdev.h>
#include <rte_ethdev.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/log.h"

#define RING_SIZE 512
#define N_DESC	  1024

// Writes one word of net.ipv4 or net.ipv6 for an interface; kernels without IPv6 lack some.
static void sysctl_set(const char *family, const char *iface, const char *word, const char *value)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, iface, word);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		log_warn(DP, NULL, "could not write %s to %s: %s", value, path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void warn_if_addressed(const char *iface)
{
	struct ifaddrs *all, *a;

	if (getifaddrs(&all) < 0)
		return;
	for (a = all; a; a = a->ifa_next)
		if (strcmp(a->ifa_name, iface) == 0 && a->ifa_addr &&
		    a->ifa_addr->sa_family == AF_INET)
			log_warn(DP, NULL,
				 "interface %s has an address: it belongs on its TAP twin, "
				 "or packets pass beside the policy",
				 iface);
	freeifaddrs(all);
}

// The kernel still sees what arrives on a Linux interface under a port. It must not forward it in
// clear, nor answer ARP, nor take it for its own.
static void silence_kernel(const char *device)
{
	const char *at = strstr(device, "iface=");
	char iface[IFNAMSIZ];
	size_t n;

	if (!at)
		return;
	at += strlen("iface=");
	n = strcspn(at, ",");
	if (n >= sizeof(iface))
		return;
	memcpy(iface, at, n);
	iface[n] = '\0';
	sysctl_set("ipv4", iface, "forwarding", "0");
	sysctl_set("ipv4", iface, "arp_ignore", "8");
	sysctl_set("ipv4", iface, "rp_filter", "1");
	if (access("/proc/sys/net/ipv6", F_OK) == 0)
		sysctl_set("ipv6", iface, "disable_ipv6", "1");
	warn_if_addressed(iface);
}

static bool is_pci(const char *device)
{
	unsigned a, b, c, f;

	return sscanf(device, "%x:%x:%x.%x", &a, &b, &c, &f) == 4 ||
	       sscanf(device, "%x:%x.%x", &a, &b, &f) == 3;
}

// The ethdev of a device string. PCI devices were probed by EAL; virtual ones start here.
static int ethdev_open(struct port *p)
{
	char name[32];
	const char *args = strchr(p->conf->device, ',');
	size_t n = strcspn(p->conf->device, ",");

	if (is_pci(p->conf->device))
		return rte_eth_dev_get_port_by_name(p->conf->device, &p->ethdev);
	if (n >= sizeof(name))
		return -ENAMETOOLONG;
	memcpy(name, p->conf->device, n);
	name[n] = '\0';
	if (rte_vdev_init(name, args ? args + 1 : "") < 0)
		return -ENODEV;
	return rte_eth_dev_get_port_by_name(name, &p->ethdev);
}

static int queues_start(struct espd *d, struct port *p)
{
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_dev_info info;
	uint16_t n_tx = (uint16_t)d->n_workers, rxd = N_DESC, txd = N_DESC;
	int err = rte_eth_dev_info_get(p->ethdev, &info);

	if (err)
		return err;
	if (info.max_tx_queues < n_tx) {
		log_err(DP, NULL,
			"port %s has %u transmit queue%s for %u workers: use fewer cores%s",
			p->conf->name, info.max_tx_queues, info.max_tx_queues == 1 ? "" : "s", n_tx,
			strstr(p->conf->device, "af_packet") ? " or add qpairs=N to its device"
							     : "");
		return -EINVAL;
	}
	p->n_rxq = RTE_MIN(n_tx, info.max_rx_queues);
	if (p->n_rxq > 1) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_IP & info.flow_type_rss_offloads;
	}
	err = rte_eth_dev_configure(p->ethdev, p->n_rxq, n_tx, &conf);
	if (!err)
		err = rte_eth_dev_adjust_nb_rx_tx_desc(p->ethdev, &rxd, &txd);
	for (uint16_t q = 0; !err && q < p->n_rxq; q++)
		err = rte_eth_rx_queue_setup(p->ethdev, q, rxd, SOCKET_ID_ANY, NULL, d->pool);
	for (uint16_t q = 0; !err && q < n_tx; q++)
		err = rte_eth_tx_queue_setup(p->ethdev, q, txd, SOCKET_ID_ANY, NULL);
	return err ? err : rte_eth_dev_start(p->ethdev);
}

// The kernel behind the TAP twin joins groups (rekeys, routing protocols) that the card has to hear.
static void hear_groups(const struct port *p)
{
	int err = rte_eth_allmulticast_enable(p->ethdev);

	if (err && err != -ENOTSUP) // what has no filter has no switch for it
		log_warn(DP, NULL, "port %s: multicast reception: %s", p->conf->name,
			 strerror(-err));
}

static int ethdev_start(struct espd *d, struct port *p)
{
	int err = ethdev_open(p);

	if (!err)
		err = queues_start(d, p);
	if (!err)
		hear_groups(p);
	if (!err)
		err = rte_eth_macaddr_get(p->ethdev, &p->mac);
	if (err)
		log_err(DP, NULL, "port %s: device '%s' does not start: %s", p->conf->name,
			p->conf->device, strerror(-err));
	return err;
}

static int tap_setup(struct port *p, int ctl)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	memcpy(r.ifr_name, p->conf->tap, sizeof(r.ifr_name));
	if (ioctl(p->tap_fd, TUNSETIFF, &r) < 0)
		return -errno;
	r.ifr_hwaddr.sa_family = 1; // ARPHRD_ETHER
	memcpy(r.ifr_hwaddr.sa_data, p->mac.addr_bytes, sizeof(p->mac.addr_bytes));
	if (ioctl(ctl, SIOCSIFHWADDR, &r) < 0)
		return -errno;
	r.ifr_mtu = (int)p->mtu;
	if (ioctl(ctl, SIOCSIFMTU, &r) < 0 || ioctl(ctl, SIOCGIFFLAGS, &r) < 0)
		return -errno;
	r.ifr_flags |= IFF_UP;
	if (ioctl(ctl, SIOCSIFFLAGS, &r) < 0)
		return -errno;
	p->tap_ifindex = (int)if_nametoindex(p->conf->tap);
	return 0;
}

// A TAP of this name that exists already (ip tuntap add) is taken over and keeps its addresses
// when we end; one that we create ends with us.
static int tap_open(struct port *p)
{
	int ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	p->tap_fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (p->tap_fd < 0 || ctl < 0)
		err = -errno;
	else
		err = tap_setup(p, ctl);
	if (ctl >= 0)
		close(ctl);
	if (err)
		log_err(DP, NULL, "port %s: TAP %s: %s", p->conf->name, p->conf->tap,
			strerror(-err));
	return err;
}

static struct rte_ring *ring_new(const struct port *p, const char *dir, unsigned flags)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s%u", dir, p->index);
	return rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, flags);
}

int port_open(struct espd *d, const struct port_conf *conf, struct port *p)
{
	int err;

	p->conf = conf;
	p->is_protected = conf->role == PORT_PROTECTED;
	p->mtu = conf->mtu;
	p->tap_fd = -1;
	p->to_kernel = ring_new(p, "to_kernel", RING_F_SC_DEQ);
	p->from_kernel = ring_new(p, "from_kernel", RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (!p->to_kernel || !p->from_kernel)
		return -ENOMEM;
	silence_kernel(conf->device);
	err = ethdev_start(d, p);
	return err ? err : tap_open(p);
}

void port_close(struct port *p)
{
	if (p->tap_fd >= 0)
		close(p->tap_fd);
	rte_eth_dev_stop(p->ethdev);
	rte_eth_dev_close(p->ethdev);
}
