"""Everything on a network that must not answer: the cloud's metadata, the host, neighbours, stores; prints what did."""

import os
import socket

found = []
addresses = ["169.254.169.254", "169.254.170.2", "172.17.0.1", "172.17.0.2", "192.168.0.1", "10.0.0.1", "1.1.1.1", "224.0.0.1"]
for address in addresses:
    for port in (80, 443, 22, 53, 2375, 2376, 6379, 8080, 9000, 4566):
        with socket.socket() as client:
            client.settimeout(0.2)
            try:
                client.connect((address, port))
                found.append((address, port))
            except OSError:
                pass
for address in ("fd00:ec2::254", "fe80::1", "2606:4700:4700::1111"):
    with socket.socket(socket.AF_INET6) as client:
        client.settimeout(0.2)
        try:
            client.connect((address, 80))
            found.append(address)
        except OSError:
            pass
for port in range(1, 10_000):
    with socket.socket() as client:
        if client.connect_ex(("127.0.0.1", port)) == 0:
            found.append(("127.0.0.1", port))
for name in ("host.docker.internal", "gateway.docker.internal", "redis", "metadata.google.internal", "example.com"):
    try:
        found.append(socket.getaddrinfo(name, 80))
    except OSError:
        pass
for family, kind, protocol in (
    (socket.AF_INET, socket.SOCK_RAW, 1),
    (socket.AF_PACKET, socket.SOCK_RAW, 0),
    (socket.AF_INET6, socket.SOCK_RAW, 58),
    (socket.AF_VSOCK, socket.SOCK_STREAM, 0),
    (socket.AF_ALG, socket.SOCK_SEQPACKET, 0),
):
    try:
        with socket.socket(family, kind, protocol) as client:
            if family == socket.AF_VSOCK:
                client.settimeout(0.2)
                client.connect((2, 1024))
            found.append((family, kind))
    except OSError:
        pass
try:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
        route.bind((0, 0))
        # A new address on the loopback interface: what an administrator of the network may do.
        route.send(bytes.fromhex("2800000014000506010000000000000002080000010000000800020001020304080001000102030a"))
        answer = route.recv(4096)
        if int.from_bytes(answer[16:20], "little", signed=True) == 0:
            found.append("changed the network")
except OSError:
    pass
for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"):
    if os.path.exists(path):
        found.append(path)
print("found", found, os.listdir("/sys/class/net"))
