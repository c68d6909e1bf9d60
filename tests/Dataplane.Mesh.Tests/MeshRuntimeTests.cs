using Dataplane.Hosting.Configuration;
using Dataplane.Mesh.Services;

namespace Dataplane.Mesh.Tests;

/// <summary>A mesh at work on an engine's configuration.</summary>
public sealed class MeshRuntimeTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dpmesh");

    public void Dispose() => _folder.Delete(recursive: true);

    private string File(string file) => Path.Combine(_folder.FullName, file);

    [Fact]
    public async Task Expand_FollowsItsSources_AndUnchangedNamesStayTheSameObject()
    {
        string manifest = File("m.yaml"), config = File("gateway.yaml");
        await System.IO.File.WriteAllTextAsync(manifest, "kind: Service\nmetadata: { name: a }\nspec: { selector: { app: x }, ports: [ { port: 80 } ] }\n");
        await System.IO.File.WriteAllTextAsync(config, """
            ports: { wan: { kind: memory }, lan: { kind: memory } }
            interfaces: [ { port: wan, address: 198.51.100.2/24 }, { port: lan, address: 10.1.0.1/24 } ]
            services: [ { name: own, address: 198.51.100.9, port: 80, backends: [ { address: 10.1.0.11, port: 80 } ] } ]
            mesh:
              domain: mesh.example
              addresses: 10.96.0.0/16
              dns: { listen: 198.51.100.2 }
              endpoints: [ { address: 10.1.0.11, labels: { app: x } }, { address: 10.1.0.255, labels: { app: x } } ]
              sources: [ { kind: kubernetes, files: [ m.yaml ] } ]
            """);
        await using var mesh = new MeshRuntime(TimeProvider.System);
        int changes = 0;
        mesh.Changed += () => Interlocked.Increment(ref changes);
        DataplaneSpec first = ConfigurationFile.Load(config, spec => mesh.StartAsync(spec).GetAwaiter().GetResult()).GetSpec();
        Assert.Equal(["own", "a.80"], first.Services.Select(service => service.Name));

        // The broadcast address is no backend: that one is left out and said, the service works.
        Assert.Equal("10.1.0.11", Assert.Single(first.Services[1].Backends).Address.ToString());
        MeshServiceStatus status = Assert.Single(mesh.Services);
        Assert.Contains("broadcast", status.Problem, StringComparison.Ordinal);
        Assert.Same(first.Names[0], ConfigurationFile.Load(config, mesh.Expand).GetSpec().Names[0]);

        await System.IO.File.WriteAllTextAsync(manifest, "kind: Service\nmetadata: { name: b }\nspec: { selector: { app: x }, ports: [ { port: 80 } ] }\n");
        await MeshFixture.UntilAsync(() => Volatile.Read(ref changes) > 0, "a changed manifest");
        Assert.Equal(["own", "b.80"], ConfigurationFile.Load(config, mesh.Expand).GetSpec().Services.Select(service => service.Name));
        Assert.Single(mesh.Sources);
    }

    [Fact]
    public async Task Expand_ARefusedEndpoint_IsSaidOfItsServiceAndOfNoOther()
    {
        MeshServiceSpec Of(string name, string space, string endpoint) => new()
        {
            Name = name,
            Namespace = space,
            Ports = [new MeshPortSpec { Port = 80 }],
            Endpoints = [new MeshEndpointSpec { Address = Dataplane.Packets.IpAddress.Parse(endpoint) }],
        };
        var mesh = new MeshSpec
        {
            Domain = "mesh.example",
            Addresses = [Dataplane.Packets.IpPrefix.Parse("10.96.0.0/16")],
            Services = [Of("db", "default", "10.1.0.11"), Of("db", "other", "10.1.0.12"), Of("db2", "default", "10.1.0.255")],
        };
        var spec = new DataplaneSpec
        {
            Ports = [new Dataplane.Ports.PortSpec { Name = "lan", Kind = Dataplane.Ports.PortKind.Memory }],
            Interfaces = [new Dataplane.Routing.InterfaceSpec { Port = "lan", Address = Dataplane.Packets.IpPrefix.Parse("10.1.0.1/24") }],
        };
        await using var runtime = new MeshRuntime(TimeProvider.System);
        runtime.Expand(spec, mesh);
        Assert.Equal(["default/db2"], runtime.Services.Where(service => service.Problem.Length > 0).Select(service => $"{service.Namespace}/{service.Name}"));
    }

    [Fact]
    public async Task Expand_SpecWithoutMesh_IsGivenBackAsItIs()
    {
        await using var mesh = new MeshRuntime(TimeProvider.System);
        var spec = new DataplaneSpec();
        Assert.Same(spec, mesh.Expand(spec));
    }

    [Fact]
    public async Task Expand_TwoThousandServices_EachHasItsAddress()
    {
        var spec = new MeshSpec
        {
            Domain = "mesh.example",
            Addresses = [Dataplane.Packets.IpPrefix.Parse("10.64.0.0/10")],
            TableSize = 251,
            Dns = new MeshDnsSpec { Listen = [Dataplane.Packets.IpAddress.Parse("198.51.100.2")] },
            Services = [.. Enumerable.Range(0, 2000).Select(i => new MeshServiceSpec
            {
                Name = $"s{i}",
                Ports = [new MeshPortSpec { Port = 80 }],
                Endpoints = [.. Enumerable.Range(0, 5).Select(j => new MeshEndpointSpec { Address = Dataplane.Packets.IpAddress.FromV4(0x0A010000u + (uint)((i * 5) + j + 1)) })],
            })],
        };
        await using var mesh = new MeshRuntime(TimeProvider.System);
        DataplaneSpec expanded = mesh.Expand(new DataplaneSpec(), spec);
        Assert.Equal((2000, 2000), (expanded.Services.Count, expanded.Services.Select(service => service.Address).Distinct().Count()));
    }
}
