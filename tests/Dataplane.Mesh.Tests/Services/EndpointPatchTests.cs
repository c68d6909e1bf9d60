using Dataplane.Configuration;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Packets;

namespace Dataplane.Mesh.Tests.Services;

/// <summary>A change of endpoints alone gives what compiling everything gives, and touches nothing else.</summary>
public sealed class EndpointPatchTests
{
    private static readonly IpAddress[] s_own = [IpAddress.Parse("10.1.0.3")];

    private static readonly MeshSpec s_mesh = new()
    {
        Domain = "mesh.example",
        Addresses = [IpPrefix.Parse("10.96.0.0/16"), IpPrefix.Parse("fd00:96::/112")],
        LoadBalancers = [IpPrefix.Parse("203.0.113.0/24")],
        TableSize = 251,
        Dns = new MeshDnsSpec { Listen = [IpAddress.Parse("198.51.100.2")] },
        Endpoints = [Endpoint(200, "s1")],
        Relay = new MeshRelaySpec { Outbound = [IpAddress.Parse("10.1.0.3")], TrustDomain = "example.org" },
    };

    private static readonly MeshServiceSpec[] s_services =
    [
        Service("s0"), Service("s1") with { Kind = MeshServiceKind.LoadBalancer }, Service("s2") with { Selector = new Dictionary<string, string> { ["app"] = "x" } },
        Service("s3") with { Ports = [new MeshPortSpec { Name = "a", Port = 80 }, new MeshPortSpec { Name = "b", Port = 81, TargetPort = "named" }] }, Service("s4") with { Namespace = "other" },
        Service("s5") with { Tls = MeshServiceTls.Mutual },
    ];

    private static MeshServiceSpec Service(string name) => new() { Name = name, Ports = [new MeshPortSpec { Port = 80 }] };

    private static MeshEndpointSpec Endpoint(int number, string service, string label = "", string space = "default") => new()
    {
        Address = number % 3 == 0 ? IpAddress.Parse($"fd00:1::{number + 1}") : IpAddress.Parse($"10.1.0.{number % 200 + 1}"),
        Service = service,
        Namespace = space,
        Labels = label.Length > 0 ? new Dictionary<string, string> { ["app"] = label } : new Dictionary<string, string>(),
        Ports = new Dictionary<string, ushort> { [number % 2 == 0 ? "" : "named"] = (ushort)(8000 + number) },
        Weight = number % 4,
        IsReady = number % 5 != 0,
        IsServing = number % 2 == 0,
    };

    private static readonly SourceSnapshot s_second = new() { Revision = 1, Endpoints = [Endpoint(150, "s0")] };

    /// <summary>What sources say: groups that have not changed since the book was read last are the same objects.</summary>
    private static (string, SourceSnapshot)[] Heard(IReadOnlyList<MeshServiceSpec> services, IEnumerable<MeshEndpointSpec> endpoints, SourceBook book)
    {
        book.Put("all", [], [.. endpoints]);
        return [("first", new SourceSnapshot { Revision = 1, Services = services, Endpoints = book.Endpoints }), ("second", s_second)];
    }

    private static string Text(MeshTables tables) => SpecWriter.ToYaml(new DataplaneSpec { Services = tables.Services })
        + string.Join('\n', tables.Carried.Select(port => $"{port.Name} {port.RelayPort} {string.Join(' ', port.Endpoints)}"))
        + string.Join('\n', tables.Status.Select(status => $"{status.Name} {status.Ready} {status.Problem} {string.Join(' ', status.Endpoints.Select(endpoint => $"{endpoint.Address}/{endpoint.Weight}"))}"));

    private static MeshEndpointSpec Any(Random random)
    {
        int service = random.Next(8);
        return Endpoint(random.Next(100), service < 6 ? $"s{service}" : "", service >= 5 ? random.Next(3) == 0 ? "y" : "x" : "", service == 4 ? "other" : "default");
    }

    [Fact]
    public void TryApply_AnyChangesOfEndpoints_GivesWhatCompilingGives()
    {
        int applied = 0;
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            List<MeshEndpointSpec> endpoints = [.. Enumerable.Range(0, 60).Select(_ => Any(random))];
            var book = new SourceBook();
            (string, SourceSnapshot)[] before = Heard(s_services, endpoints, book);
            MeshTables tables = MeshCompiler.Compile(s_mesh, before, s_own);
            for (int step = 0; step < 5; step++)
            {
                int at = random.Next(endpoints.Count);
                switch (random.Next(3))
                {
                    case 0:
                        endpoints[at] = Any(random);
                        break;
                    case 1:
                        endpoints.RemoveAt(at);
                        break;
                    default:
                        endpoints.Insert(at, Any(random));
                        break;
                }

                (string, SourceSnapshot)[] now = Heard(s_services, endpoints, book);
                MeshTables whole = MeshCompiler.Compile(s_mesh, now, s_own);
                MeshTables? patched = EndpointPatch.TryApply(tables, before, now, s_own);
                if (patched is not null)
                {
                    applied++;
                    Assert.Equal(Text(whole), Text(patched));
                    Assert.Same(tables.Names, patched.Names);
                }

                (before, tables) = (now, patched ?? whole);
            }
        }

        Assert.True(applied > 600, $"{applied} of 1000 changes were applied by themselves");
    }

    [Fact]
    public void TryApply_OneEndpoint_LeavesEveryOtherServiceTheSameObject()
    {
        MeshEndpointSpec[] endpoints = [.. Enumerable.Range(0, 20).Select(i => Endpoint(i, $"s{i % 2}"))], changed = [.. endpoints];
        changed[7] = changed[7] with { Weight = 77 };
        var book = new SourceBook();
        (string, SourceSnapshot)[] before = Heard(s_services, endpoints, book), now = Heard(s_services, changed, book);
        MeshTables tables = MeshCompiler.Compile(s_mesh, before, s_own), patched = EndpointPatch.TryApply(tables, before, now, s_own)!;
        Assert.All(tables.Services.Zip(patched.Services, tables.Owners), pair => Assert.Equal(tables.Wanted[pair.Third].Name == "s1", !ReferenceEquals(pair.First, pair.Second)));
        Assert.Contains(patched.Services, service => service.Backends.Any(backend => backend.Weight == 77));
    }

    /// <summary>What is not looked at cannot be copied either: the endpoints of all other services are known by their groups alone.</summary>
    [Fact]
    public void TryApply_OneEndpointOfMany_ReadsNoEndpointOfAnotherService()
    {
        MeshServiceSpec[] services = [.. Enumerable.Range(0, 40).Select(i => Service($"t{i}"))];
        int read = 0;
        EndpointSet all = EndpointSet.Empty.With([.. Enumerable.Range(0, 40).Select(i => new EndpointGroup("default", $"t{i}", new Watched([.. Enumerable.Range(0, 25).Select(j => Endpoint(i * 25 + j, $"t{i}"))], () => read++)))]);
        EndpointGroup group = all.Groups[7];
        EndpointSet changed = all.With([new EndpointGroup("default", group.Endpoints[0].Service, [group.Endpoints[0] with { Weight = 9 }, .. group.Endpoints.Skip(1)])]);
        (string, SourceSnapshot)[] Said(EndpointSet endpoints) => [("one", new SourceSnapshot { Revision = 1, Services = services, Endpoints = endpoints })];
        MeshTables tables = MeshCompiler.Compile(s_mesh, Said(all), s_own);
        read = 0;
        Assert.NotNull(EndpointPatch.TryApply(tables, Said(all), Said(changed), s_own));
        Assert.Equal(0, read);
    }

    /// <summary>Endpoints that say when they are read.</summary>
    private sealed class Watched(MeshEndpointSpec[] endpoints, Action read) : IReadOnlyList<MeshEndpointSpec>
    {
        public int Count => endpoints.Length;

        public MeshEndpointSpec this[int index]
        {
            get
            {
                read();
                return endpoints[index];
            }
        }

        public IEnumerator<MeshEndpointSpec> GetEnumerator()
        {
            read();
            return endpoints.AsEnumerable().GetEnumerator();
        }

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    public static TheoryData<string> More => ["a service", "a headless one", "too many"];

    [Theory]
    [MemberData(nameof(More))]
    public void TryApply_MoreThanEndpointsOfPlainServices_IsLeftToTheCompiler(string what)
    {
        MeshServiceSpec[] services =
        [
            Service("s0"), Service("s1") with { Kind = what == "a headless one" ? MeshServiceKind.Headless : default },
            Service("s2") with { Selector = new Dictionary<string, string> { ["app"] = "x" } },
        ];
        MeshEndpointSpec[] endpoints = [.. Enumerable.Range(0, 40).Select(i => Endpoint(i, "s1"))];
        MeshEndpointSpec[] changed = [.. endpoints.Select((endpoint, at) => at == 3 || what == "too many" ? endpoint with { Weight = 9 } : endpoint)];
        var book = new SourceBook();
        (string, SourceSnapshot)[] before = Heard(services, endpoints, book), now = Heard(what == "a service" ? [.. services, Service("s9")] : services, changed, book);
        Assert.Null(EndpointPatch.TryApply(MeshCompiler.Compile(s_mesh, before, s_own), before, now, s_own));
    }
}
