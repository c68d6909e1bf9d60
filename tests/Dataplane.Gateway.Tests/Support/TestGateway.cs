namespace Dataplane.Gateway.Tests.Support;

/// <summary>A gateway on in-memory ports with everything in it that packets can meet, and packets that meet it.</summary>
internal static class TestGateway
{
    public const string WanMac = "02:00:00:00:01:01";
    public const string LanMac = "02:00:00:00:02:01";
    public const string ClientMac = "02:00:00:00:00:09";
    public const string Client = "198.51.100.9";
    public const string Client6 = "2001:db8:1::9";

    public const string Yaml = """
        ports:
          wan: { kind: memory, mac: "02:00:00:00:01:01" }
          lan: { kind: memory, mac: "02:00:00:00:02:01" }
        interfaces:
          - { port: wan, address: 198.51.100.1/24 }
          - { port: wan, address: "2001:db8:1::1/64" }
          - { port: lan, address: 10.1.0.1/24 }
          - { port: lan, address: "2001:db8:2::1/64" }
        neighbours:
          - { port: wan, address: 198.51.100.9, mac: "02:00:00:00:00:09" }
          - { port: wan, address: "2001:db8:1::9", mac: "02:00:00:00:00:09" }
          - { port: lan, address: 10.1.0.11, mac: "02:00:00:00:00:0b" }
          - { port: lan, address: 10.1.0.12, mac: "02:00:00:00:00:0c" }
          - { port: lan, address: "2001:db8:2::11", mac: "02:00:00:00:00:0b" }
        routes:
          - { to: 48.0.0.0/8, via: [ { address: 10.1.0.11, weight: 2 }, { address: 10.1.0.12, weight: 1 } ] }
          - { to: "2001:db8:48::/48", via: "2001:db8:2::11" }
          - { to: 203.0.113.128/25, reject: prohibited }
        filter:
          default: allow
          rules:
            - { name: no-ssh, action: deny, protocol: tcp, to_port: 22 }
            - { name: no-guest, action: deny, from: 198.51.100.66/32 }
        services:
          - { name: web, address: 203.0.113.80, port: 80, protocol: tcp, balance: maglev,
              backends: [ { address: 10.1.0.11, port: 8080, weight: 2 }, { address: 10.1.0.12, port: 8080 } ] }
          - { name: web6, address: "2001:db8:80::80", port: 80, protocol: tcp, backends: [ { address: "2001:db8:2::11", port: 8080 } ] }
          - { name: dns, address: 203.0.113.53, port: 53, protocol: udp, balance: round_robin, backends: [ { address: 10.1.0.11, port: 53 } ] }

        """;
}
