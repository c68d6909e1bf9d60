using Dataplane.Configuration;
using Dataplane.Gateway.Compose;
using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Tests.Compose;

/// <summary>Compose files as people write them; what they say that has no effect is told with its line.</summary>
public sealed class ComposeReaderTests
{
    private const string Simple = """
        version: '3'
        services:
          web:
            image: nginx
            ports:
              - "80:80"
            networks:
              - my-network
          db:
            image: mysql
            networks:
              - my-network
        networks:
          my-network:
            driver: bridge
        """;

    private readonly List<ConfigurationError> _remarks = [];

    [Fact]
    public void Read_TheUsualFile_IsUnderstoodWhole()
    {
        ComposeProject project = Read(Simple);
        Assert.Empty(_remarks);
        Assert.Equal("shop", project.Name);
        Assert.Equal("shop_my-network", Assert.Single(project.Networks).Record.Name);
        Assert.Equal(["web", "db"], project.Services.Select(service => service.Name));
        Assert.Equal(new PublishedPort(80, 80), Assert.Single(project.Services[0].Ports));
        Assert.All(project.Services, service => Assert.Equal("my-network", Assert.Single(service.Attachments).Network));
    }

    [Fact]
    public void Read_KeysThatNobodyKnows_SayWhatTheyMayHaveBeen()
    {
        Read("""
            services:
              web:
                imge: nginx
                port: [ "80:80" ]
                privileged: true
            """);
        Assert.Equal(
            ["services.web.imge: has no effect here. Did you mean image?", "services.web.port: has no effect here. Did you mean ports?", "services.web.privileged: has no effect here"],
            _remarks.Select(remark => $"{remark.Path}: {remark.Message}"));
    }

    [Fact]
    public void Read_NetworksOfAllKinds_AreRead()
    {
        ComposeProject project = Read("""
            services:
              proxy:
                image: nginx
                depends_on: { app: { condition: service_started } }
                networks:
                  front: { ipv4_address: 172.28.0.9, aliases: [ www ], priority: 10 }
                  back:
              app:
                image: app
                command: ["serve", "--port", "80"]
                entrypoint: /bin/run "a b" 'c d'
                environment: { A: 1, B: two }
                deploy: { replicas: 2 }
                networks: [ back ]
              lone: { image: x }
              none: { image: x, network_mode: none }
            networks:
              front:
                driver_opts: { com.docker.network.driver.mtu: 1400 }
                ipam: { config: [ { subnet: 172.28.0.0/16, ip_range: 172.28.5.0/24, gateway: 172.28.0.254, aux_addresses: { a: 172.28.5.1 } } ] }
              back: { internal: true, enable_ipv6: true }
              away: { external: true }
            """);
        Assert.Equal(["app", "proxy", "lone", "none"], project.Services.Select(service => service.Name));
        ComposeService proxy = project.Services[1], app = project.Services[0];
        Assert.Equal(["front", "back"], proxy.Attachments.Select(attachment => attachment.Network));
        Assert.Equal(["172.28.0.9"], proxy.Attachments[0].Addresses);
        Assert.Equal(["www"], proxy.Attachments[0].Aliases);
        Assert.Equal(["/bin/run", "a b", "c d", "serve", "--port", "80"], app.Command);
        Assert.Equal((2, "two"), (app.Replicas, app.Environment[1].Value));
        Assert.Equal("default", Assert.Single(project.Services[2].Attachments).Network);
        Assert.True(project.Services[3].IsAlone && project.Services[3].Attachments.Count == 0);
        NetworkRecord front = project.Networks.First(network => network.Key == "front").Record;
        Assert.Equal((1400, "172.28.5.0/24", "172.28.0.254"), (front.Mtu, front.Subnets[0].Range, front.Subnets[0].Gateway));
        Assert.Equal(["172.28.5.1"], front.Subnets[0].Reserved);
        Assert.Equal((true, true), (project.Networks.First(network => network.Key == "back").Record.Internal, project.Networks.First(network => network.Key == "back").Record.Ipv6));
        Assert.DoesNotContain(project.Networks, network => network.Key == "away");
    }

    [Fact]
    public void Read_WhatContainersAreTold_IsRead()
    {
        NetworkRecord network = Assert.Single(Read("""
            services:
              a: { image: x, networks: [ n ] }
            networks:
              n: { driver_opts: { dataplane.dhcp: "true", dataplane.router_advertisements: "true", dataplane.underlay: tls, dataplane.attach: veth } }
            """).Networks).Record;
        Assert.True(network is { RouterAdvertisements: true, Dhcp: true, Underlay: NetworkRecord.Tls, Attach: "veth" });
        Assert.Empty(_remarks);
    }

    [Fact]
    public void Read_PortsInBothForms_AreRead()
    {
        ComposeProject project = Read("""
            services:
              a:
                image: x
                ports:
                  - 22:22
                  - "127.0.0.1:6000-6002:7000-7002/udp"
                  - { target: 80, published: "8080", host_ip: "::1", protocol: tcp, mode: host }
            """);
        Assert.Equal(
            [new PublishedPort(22, 22), new PublishedPort(6000, 7000) { Count = 3, Protocol = "udp", HostAddress = "127.0.0.1" }, new PublishedPort(8080, 80) { HostAddress = "::1" }],
            project.Services[0].Ports);
    }

    [Fact]
    public void Read_WhatHasNoEffect_IsSaidWithItsLine()
    {
        Read("""
            services:
              a:
                image: x
                volumes: [ "data:/data" ]
                restart: always
            volumes:
              data:
            """);
        Assert.Equal([(4, "services.a.volumes"), (5, "services.a.restart"), (7, "volumes")], _remarks.Select(remark => (remark.Line, remark.Path)).OrderBy(remark => remark.Line));
    }

    [Theory]
    [InlineData("services: { a: { image: x, networks: [ nowhere ] } }", "nowhere, which is not among networks")]
    [InlineData("services: { a: { image: x, depends_on: [ b ] } }", "names the service b")]
    [InlineData("services: { a: { image: x, depends_on: [ b ] }, b: { image: x, depends_on: [ a ] } }", "goes in a circle")]
    [InlineData("services: { a: { image: x, ports: [ \"80\" ] } }", "host's port is missing")]
    [InlineData("services: { a: { image: x, ports: [ \"80:80/sctp\" ] } }", "cannot be published")]
    [InlineData("services: { a: { image: x, ports: [ \"80:80\" ], scale: 2 } }", "published by 2 replicas")]
    [InlineData("services: { a: { image: x, network_mode: host } }", "is not possible here")]
    [InlineData("services: { a: { image: x, command: 'say \"hello' } }", "never closed")]
    [InlineData("services: { a: { image: x } }\nnetworks: { n: { driver: overlay } }", "is not a driver")]
    [InlineData("services: { a: { image: x } }\nnetworks: { n: { external: true, internal: true } }", "described by its name alone")]
    [InlineData("services: { a: { image: x } }\nnetworks: { n: { ipam: { config: [ { gateway: 10.0.0.1 } ] } } }", "is missing: an address range")]
    [InlineData("services: { a: { image: x, networks: { n: { ipv4_address: 10.0.1.5 } } } }\nnetworks: { n: { ipam: { config: [ { subnet: 10.0.0.0/24 } ] } } }", "is in no subnet of networks.n (10.0.0.0/24)")]
    [InlineData("services: { a: { image: x, networks: { n: { ipv4_address: 10.0.0.1 } } } }\nnetworks: { n: { ipam: { config: [ { subnet: 10.0.0.0/24, gateway: 10.0.0.1 } ] } } }", "is the gateway of networks.n")]
    [InlineData("services: { a: { image: x, networks: { n: { ipv4_address: 10.0.0.5 } } } }\nnetworks: { n: {} }", "needs a subnet that it is of")]
    [InlineData("services: { a: { image: x, networks: { n: { ipv4_address: ten } } } }\nnetworks: { n: {} }", "\"ten\" is not an address")]
    [InlineData("services: { a: { image: x, networks: { n: { mac_address: \"01:00:5e:00:00:01\" } } } }\nnetworks: { n: {} }", "is not the MAC address of a station")]
    [InlineData("services: { a: { image: x, networks: { n: { ipv4_address: 10.0.0.5 } } }, b: { image: x, networks: { n: { ipv4_address: 10.0.0.5 } } } }\nnetworks: { n: { ipam: { config: [ { subnet: 10.0.0.0/24 } ] } } }", "is given to a as well")]
    [InlineData("services: { a: { image: x } }\nnetworks: { n: { ipam: { config: [ { subnet: 10.0.0.1/24 } ] } } }", "cannot be made: Subnet 10.0.0.1/24 has bits set")]
    [InlineData("services: { a: { image: x, ports: [ \"80:80\" ] }, b: { image: x, ports: [ \"127.0.0.1:80:81\" ] } }", "\"127.0.0.1:80:81/tcp\": publishes a port of the host that a publishes as well")]
    [InlineData("services: { a: { image: x, ports: [ \"80:80\", \"80:81\" ] } }", "is published already by 80:80/tcp")]
    [InlineData("services: {}", "there is nothing to run")]
    public void Read_Wrong_IsRefusedWithItsPlace(string text, string why)
    {
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() => Read(text));
        Assert.Contains(refused.Errors, error => error.ToString().Contains(why, StringComparison.Ordinal) && error.Line > 0);
    }

    [Fact]
    public void Read_AnchorsAndExtensions_AreWhatTheyStandFor()
    {
        ComposeProject project = Read("""
            x-app: &app
              image: app
              environment: &values { A: 1 }
            services:
              web: { <<: *app, hostname: www, x-note: hello }
              job: { <<: *app, environment: { <<: *values, B: 2 } }
            """);
        Assert.Empty(_remarks);
        Assert.Equal(("app", "www"), (project.Services[0].Image, project.Services[0].HostName));
        Assert.Equal(["B=2", "A=1"], project.Services[1].Environment.Select(pair => $"{pair.Key}={pair.Value}"));
    }

    [Fact]
    public void Read_Scale_CountsAndNotTheFile()
    {
        const string Text = "services: { web: { image: x, scale: 2 }, db: { image: x, ports: [ \"5432:5432\" ] } }";
        ComposeProject project = ComposeReader.Read(Text, "compose.yaml", null, "Shop", _remarks, new Dictionary<string, int> { ["web"] = 5, ["db"] = 0 });
        Assert.Equal([5, 0], project.Services.Select(service => service.Replicas));
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() =>
            ComposeReader.Read(Text, "compose.yaml", null, "Shop", _remarks, new Dictionary<string, int> { ["wbe"] = 5, ["db"] = 2 }));
        Assert.Contains(refused.Errors, error => error.ToString().Contains("has no service wbe, which --scale names. Did you mean web?", StringComparison.Ordinal));
        Assert.Contains(refused.Errors, error => error.ToString().Contains("cannot be published by 2 replicas", StringComparison.Ordinal));
    }

    private ComposeProject Read(string text) => ComposeReader.Read(text, "compose.yaml", null, "Shop", _remarks);
}
