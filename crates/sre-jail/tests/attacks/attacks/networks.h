/* Networks. */
static void family(int family, int type, const char *name) { must_fail(socket(family, type, 0), name); }
static void net_inet(void) { family(AF_INET, SOCK_STREAM, "IPv4"); }
static void net_datagram(void) { family(AF_INET, SOCK_DGRAM, "IPv4 datagrams"); }
static void net_inet6(void) { family(AF_INET6, SOCK_STREAM, "IPv6"); }
static void net_raw(void) { family(AF_INET, SOCK_RAW, "raw sockets"); }
static void net_packet(void) { family(AF_PACKET, SOCK_RAW, "packets"); }
static void net_netlink(void) { family(AF_NETLINK, SOCK_RAW, "netlink"); }
static void net_vsock(void) { family(40, SOCK_STREAM, "vsock"); }
static void net_alg(void) { family(38, SOCK_SEQPACKET, "kernel crypto"); }
static void net_others(void) { for (int i = 2; i < 64; i++) if (socket(i, SOCK_STREAM, 0) >= 0 || socket(i, SOCK_DGRAM, 0) >= 0 || socket(i, SOCK_RAW, 0) >= 0) escaped("a family"); refused(); }
static void abstract_socket(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *name = host("HOST_ABSTRACT");
    memcpy(to.sun_path + 1, name, strlen(name));
    must_fail(connect(fd, (struct sockaddr *)&to, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)), "a socket of the host's");
}
static void path_socket(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strncpy(to.sun_path, host("HOST_SOCKET"), sizeof to.sun_path - 1);
    must_fail(connect(fd, (struct sockaddr *)&to, sizeof to), "a socket of the host's");
}
