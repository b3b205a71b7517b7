// Every socket family, and the protocols of the four that are there.
#include "attack.h"
#include <netinet/in.h>

int main(void) {
    char name[64];
    for (int family = 0; family < 46; family++) {
        snprintf(name, sizeof name, "family.%d", family);
        errno = 0;
        int fd = -1;
        // The first kind that the family has, in case the control's kernel has it.
        const int kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW};
        for (int i = 0; i < 4 && fd < 0; i++) fd = socket(family, kinds[i], 0);
        tell(name, fd);
        if (fd >= 0) close(fd);
    }
    TRY("raw.icmp", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    TRY("raw.raw", socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
    TRY("ip.sctp", socket(AF_INET, SOCK_STREAM, 132));
    TRY("ip.dccp", socket(AF_INET, 6, 33));
    TRY("ip.mptcp", socket(AF_INET, SOCK_STREAM, 262));
    TRY("ip.udplite", socket(AF_INET, SOCK_DGRAM, 136));
    TRY("ip.tcp", socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    TRY("ip6.udp", socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP));
    for (int protocol = 0; protocol < 23; protocol++) {
        snprintf(name, sizeof name, "netlink.%d", protocol);
        TRY(name, socket(AF_NETLINK, SOCK_RAW, protocol));
    }
    int pair[2];
    TRY("pair.unix", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    TRY("pair.tipc", socketpair(30, SOCK_STREAM, 0, pair));
    // An interface of its own, with the route to go with it.
    struct sockaddr_in outside = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(0xc0000201)}};
    const int udp = socket(AF_INET, SOCK_DGRAM, 0);
    TRY("outside", sendto(udp, "x", 1, 0, (struct sockaddr *)&outside, sizeof outside));
    return 0;
}
