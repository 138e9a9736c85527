/* The network of a container that was granted the outside: what must stay out of reach is made so with routes of its
 * own network namespace, before any user code is there. Needs NET_ADMIN, and gives it up for good.
 *
 * Every denied range gets a route that refuses (the caller sees EACCES); the route to the container's own subnet goes,
 * so that not even a sibling or the host's end of the wire is a neighbour; the gateway stays as the next hop only. The
 * longest prefix wins, so an allowed range inside a denied one is reached, and a denied address inside an allowed range
 * is not. The result is asked back from the kernel: whatever fails ends the supervisor, and the container is refused. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor.h"

#define MAX_ROUTES 64

typedef struct {
  uint32_t address; /* as it travels: network byte order */
  unsigned char prefix, type, table;
  uint32_t gateway;
  int interface;
} route_t;

typedef struct {
  struct nlmsghdr head;
  struct rtmsg route;
  char attributes[128];
} netlink_request_t;

static int netlink = -1;
static uint32_t serial;

static void attribute(netlink_request_t *request, unsigned short type, const void *data, size_t length) {
  struct rtattr *at = (struct rtattr *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));
  at->rta_type = type;
  at->rta_len = (unsigned short)RTA_LENGTH(length);
  memcpy(RTA_DATA(at), data, length);
  request->head.nlmsg_len = NLMSG_ALIGN(request->head.nlmsg_len) + RTA_ALIGN(at->rta_len);
}

static netlink_request_t new_request(unsigned short type, unsigned short flags) {
  netlink_request_t request;
  memset(&request, 0, sizeof request);
  request.head.nlmsg_len = NLMSG_LENGTH(sizeof request.route);
  request.head.nlmsg_type = type;
  request.head.nlmsg_flags = NLM_F_REQUEST | flags;
  request.head.nlmsg_seq = ++serial;
  request.route.rtm_family = AF_INET;
  return request;
}

static void send_request(const netlink_request_t *request) {
  if (send(netlink, request, request->head.nlmsg_len, 0) < 0) host_fatal("network: netlink: %s", strerror(errno));
}

/* The next answer to the last request; at the end of a listing, or a bare acknowledgement, NULL with its errno. */
static struct nlmsghdr *next_answer(int *error) {
  static char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
  static struct nlmsghdr *at;
  static size_t left;
  for (;;) {
    if (left == 0 || !NLMSG_OK(at, left)) {
      ssize_t n = recv(netlink, buffer, sizeof buffer, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) host_fatal("network: netlink does not answer: %s", strerror(errno));
      at = (struct nlmsghdr *)buffer;
      left = (size_t)n;
      continue;
    }
    struct nlmsghdr *message = at;
    size_t size = NLMSG_ALIGN(message->nlmsg_len);
    at = (struct nlmsghdr *)((char *)at + size);
    left = left > size ? left - size : 0;
    if (message->nlmsg_seq != serial) continue;
    *error = 0;
    if (message->nlmsg_type == NLMSG_DONE) return NULL;
    if (message->nlmsg_type != NLMSG_ERROR) return message;
    *error = -((struct nlmsgerr *)NLMSG_DATA(message))->error;
    return NULL;
  }
}

static int acknowledged(const netlink_request_t *request) {
  int error;
  send_request(request);
  while (next_answer(&error)) continue;
  return error;
}

static route_t read_route(const struct nlmsghdr *message) {
  const struct rtmsg *about = NLMSG_DATA(message);
  route_t route = {.prefix = about->rtm_dst_len, .type = about->rtm_type, .table = about->rtm_table};
  size_t left = message->nlmsg_len - NLMSG_LENGTH(sizeof *about);
  for (const char *at = (const char *)about + NLMSG_ALIGN(sizeof *about); left >= sizeof(struct rtattr);) {
    const struct rtattr *one = (const void *)at;
    if (one->rta_len < sizeof *one || one->rta_len > left) break;
    const void *value = RTA_DATA(one);
    if (one->rta_len >= RTA_LENGTH(4)) {
      if (one->rta_type == RTA_DST) memcpy(&route.address, value, 4);
      if (one->rta_type == RTA_GATEWAY) memcpy(&route.gateway, value, 4);
      if (one->rta_type == RTA_OIF) memcpy(&route.interface, value, 4);
    }
    size_t step = RTA_ALIGN(one->rta_len);
    if (step >= left) break;
    at += step;
    left -= step;
  }
  return route;
}

/* The routes of the main table. */
static size_t list_routes(route_t *routes) {
  netlink_request_t request = new_request(RTM_GETROUTE, NLM_F_DUMP);
  send_request(&request);
  size_t count = 0;
  int error;
  for (struct nlmsghdr *message; (message = next_answer(&error));) {
    if (message->nlmsg_type != RTM_NEWROUTE) continue;
    route_t route = read_route(message);
    if (route.table != RT_TABLE_MAIN) continue;
    if (count == MAX_ROUTES) host_fatal("network: more than %d routes", MAX_ROUTES);
    routes[count++] = route;
  }
  if (error) host_fatal("network: cannot list the routes: %s", strerror(error));
  return count;
}

static void change_route(unsigned short type, unsigned short flags, const route_t *route) {
  netlink_request_t request = new_request(type, NLM_F_ACK | flags);
  request.route.rtm_dst_len = route->prefix;
  request.route.rtm_table = RT_TABLE_MAIN;
  request.route.rtm_protocol = type == RTM_DELROUTE ? 0 : RTPROT_STATIC; /* removed whoever made it */
  request.route.rtm_scope = type == RTM_DELROUTE ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE;
  request.route.rtm_type = route->type;
  if (route->prefix) attribute(&request, RTA_DST, &route->address, 4);
  if (route->gateway) {
    request.route.rtm_flags = RTNH_F_ONLINK; /* the gateway is a next hop, and no destination */
    attribute(&request, RTA_GATEWAY, &route->gateway, 4);
  }
  if (route->interface) attribute(&request, RTA_OIF, &route->interface, 4);
  int error = acknowledged(&request);
  if (error) host_fatal("network: cannot change a route: %s", strerror(error));
}

/* Whether the kernel would refuse to send to this address, to whoever asks. */
static bool is_refused(uint32_t address) {
  netlink_request_t request = new_request(RTM_GETROUTE, 0);
  request.route.rtm_dst_len = 32;
  attribute(&request, RTA_DST, &address, 4);
  send_request(&request);
  int error;
  struct nlmsghdr *message = next_answer(&error);
  return message ? read_route(message).type == RTN_PROHIBIT : error == EACCES;
}

static route_t route_of(const range_t *range) {
  route_t route = {.prefix = range->prefix, .type = range->allow ? RTN_UNICAST : RTN_PROHIBIT};
  memcpy(&route.address, range->address, sizeof route.address);
  return route;
}

/* Version 6 would be a way around every rule above. */
static void require_no_ipv6(void) {
  struct ifaddrs *all;
  if (getifaddrs(&all) < 0) host_fatal("network: cannot list the addresses: %s", strerror(errno));
  for (struct ifaddrs *one = all; one; one = one->ifa_next)
    if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET6 && !(one->ifa_flags & IFF_LOOPBACK))
      host_fatal("network: %s has an address of IP version 6", one->ifa_name);
  freeifaddrs(all);
}

static void give_up_net_admin(void) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &head, data) < 0) host_fatal("network: capget: %s", strerror(errno));
  uint32_t mask = ~(1u << CAP_NET_ADMIN);
  data[0].effective &= mask;
  data[0].permitted &= mask;
  data[0].inheritable &= mask;
  if (syscall(SYS_capset, &head, data) < 0) host_fatal("network: capset: %s", strerror(errno));
}

void egress_apply(const egress_request_t *request) {
  netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (netlink < 0) host_fatal("network: netlink: %s", strerror(errno));
  route_t routes[MAX_ROUTES], way_out = {0};
  size_t count = list_routes(routes);
  for (size_t i = 0; i < count; i++)
    if (routes[i].prefix == 0 && routes[i].gateway) way_out = routes[i];
  if (!way_out.gateway) host_fatal("network: the container has no way out");
  for (size_t i = 0; i < count; i++)
    if (routes[i].prefix == 0) change_route(RTM_DELROUTE, 0, &routes[i]);
  for (size_t i = 0; i < count; i++)
    if (routes[i].prefix != 0) change_route(RTM_DELROUTE, 0, &routes[i]);

  for (size_t i = 0; i < request->range_count; i++) {
    route_t route = route_of(&request->ranges[i]);
    if (request->ranges[i].allow) {
      route.gateway = way_out.gateway;
      route.interface = way_out.interface;
    }
    change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route);
  }
  route_t gateway = {.address = way_out.gateway, .prefix = 32, .type = RTN_PROHIBIT};
  change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &gateway);
  route_t outside = {.type = RTN_UNICAST, .gateway = way_out.gateway, .interface = way_out.interface};
  change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &outside);

  for (size_t i = 0; i < request->range_count; i++)
    if (!request->ranges[i].allow && request->ranges[i].prefix == 32 && !is_refused(route_of(&request->ranges[i]).address))
      host_fatal("network: an address that must not be reached can be");
  if (!is_refused(way_out.gateway)) host_fatal("network: the host can be reached");
  require_no_ipv6();
  (void)close(netlink); /* nothing was written to a file */
  netlink = -1;
  give_up_net_admin();
}

/* `nanogrid-supervisor addresses`, in the host's network: its own addresses, one on each line. */
int print_addresses(void) {
  struct ifaddrs *all;
  if (getifaddrs(&all) < 0) return 1;
  for (struct ifaddrs *one = all; one; one = one->ifa_next) {
    char text[INET_ADDRSTRLEN];
    if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET) continue;
    const struct sockaddr_in *address = (const struct sockaddr_in *)(const void *)one->ifa_addr;
    if (inet_ntop(AF_INET, &address->sin_addr, text, sizeof text)) dprintf(1, "%s\n", text);
  }
  freeifaddrs(all);
  return 0;
}
