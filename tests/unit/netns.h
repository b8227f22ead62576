/* netns.h - a network namespace for a test, so that it touches nothing of the machine. */
#ifndef ANYNIC_TESTS_NETNS_H
#define ANYNIC_TESTS_NETNS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"

#define TEST_SKIPPED 77 /* what meson takes for a skip */

static inline void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			perror(path);
		close(fd);
	}
}

/* 0, or negative with the reason printed. */
static inline int enter_netns(void)
{
	char map[40];
	int uid = (int)getuid(), gid = (int)getgid(),
	    flags = CLONE_NEWNET | (uid ? CLONE_NEWUSER : 0);

	if (unshare(flags) < 0) {
		printf("SKIP: no network namespace for the test: %s\n", strerror(errno));
		return -1;
	}
	if (uid) {
		write_file("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %d 1", uid);
		write_file("/proc/self/uid_map", map);
		snprintf(map, sizeof(map), "0 %d 1", gid);
		write_file("/proc/self/gid_map", map);
	}
	return 0;
}

static inline int need_tun(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		printf("SKIP: no taps here: /dev/net/tun: %s\n", strerror(errno));
		return -1;
	}
	close(fd);
	return 0;
}

static inline int set_link(const char *name, bool up)
{
	struct ifreq ifr = { 0 };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), name);
	int rc = ioctl(sock, SIOCGIFFLAGS, &ifr);
	ifr.ifr_flags = (short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
	if (rc == 0)
		rc = ioctl(sock, SIOCSIFFLAGS, &ifr);
	close(sock);
	return rc;
}

static inline int set_address(const char *name, const char *address)
{
	struct ifreq ifr = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), name);
	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(&ifr.ifr_addr, &in, sizeof(in));
	int rc = ioctl(sock, SIOCSIFADDR, &ifr);
	close(sock);
	return rc;
}

#endif
