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
    };

    private static readonly MeshServiceSpec[] s_services =
    [
        Service("s0"), Service("s1") with { Kind = MeshServiceKind.LoadBalancer }, Service("s2") with { Selector = new Dictionary<string, string> { ["app"] = "x" } },
        Service("s3") with { Ports = [new MeshPortSpec { Name = "a", Port = 80 }, new MeshPortSpec { Name = "b", Port = 81, TargetPort = "named" }] }, Service("s4") with { Namespace = "other" },
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

    private static (string, SourceSnapshot)[] Heard(IReadOnlyList<MeshServiceSpec> services, IEnumerable<MeshEndpointSpec> endpoints) =>
        [("first", new SourceSnapshot { Revision = 1, Services = services, Endpoints = [.. endpoints] }), ("second", s_second)];

    private static string Text(MeshTables tables) => SpecWriter.ToYaml(new DataplaneSpec { Services = tables.Services })
        + string.Join('\n', tables.Status.Select(status => $"{status.Name} {status.Ready} {status.Problem} {string.Join(' ', status.Endpoints.Select(endpoint => $"{endpoint.Address}/{endpoint.Weight}"))}"));

    private static MeshEndpointSpec Any(Random random)
    {
        int service = random.Next(7);
        return Endpoint(random.Next(100), service < 5 ? $"s{service}" : "", service >= 5 ? "x" : "", service == 4 ? "other" : "default");
    }

    [Fact]
    public void TryApply_AnyChangesOfEndpoints_GivesWhatCompilingGives()
    {
        int applied = 0;
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            List<MeshEndpointSpec> endpoints = [.. Enumerable.Range(0, 60).Select(_ => Any(random))];
            (string, SourceSnapshot)[] before = Heard(s_services, endpoints);
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

                (string, SourceSnapshot)[] now = Heard(s_services, endpoints);
                MeshTables whole = MeshCompiler.Compile(s_mesh, now, s_own);
                MeshTables? patched = EndpointPatch.TryApply(tables, before, now, s_mesh, s_own);
                if (patched is not null)
                {
                    applied++;
                    Assert.Equal(Text(whole), Text(patched));
                    Assert.Same(tables.Names, patched.Names);
                }

                (before, tables) = (now, patched ?? whole);
            }
        }

        Assert.True(applied > 500, $"{applied} of 1000 changes were applied by themselves");
    }

    [Fact]
    public void TryApply_OneEndpoint_LeavesEveryOtherServiceTheSameObject()
    {
        MeshEndpointSpec[] endpoints = [.. Enumerable.Range(0, 20).Select(i => Endpoint(i, $"s{i % 2}"))], changed = [.. endpoints];
        changed[7] = changed[7] with { Weight = 77 };
        (string, SourceSnapshot)[] before = Heard(s_services, endpoints), now = Heard(s_services, changed);
        MeshTables tables = MeshCompiler.Compile(s_mesh, before, s_own), patched = EndpointPatch.TryApply(tables, before, now, s_mesh, s_own)!;
        Assert.All(tables.Services.Zip(patched.Services, tables.Owners), pair => Assert.Equal(tables.Wanted[pair.Third].Name == "s1", !ReferenceEquals(pair.First, pair.Second)));
        Assert.Contains(patched.Services, service => service.Backends.Any(backend => backend.Weight == 77));
    }

    public static TheoryData<string> More => ["a service", "a headless one", "by relays", "by labels", "too many"];

    [Theory]
    [MemberData(nameof(More))]
    public void TryApply_MoreThanEndpointsOfPlainServices_IsLeftToTheCompiler(string what)
    {
        MeshServiceSpec[] services =
        [
            Service("s0"), Service("s1") with { Kind = what == "a headless one" ? MeshServiceKind.Headless : default, Tls = what == "by relays" ? MeshServiceTls.Mutual : default },
            Service("s2") with { Selector = new Dictionary<string, string> { ["app"] = "x" } },
        ];
        MeshEndpointSpec[] endpoints = [.. Enumerable.Range(0, 40).Select(i => Endpoint(i, "s1", what == "by labels" ? "x" : ""))];
        MeshEndpointSpec[] changed = [.. endpoints.Select((endpoint, at) => at == 3 || what == "too many" ? endpoint with { Weight = 9 } : endpoint)];
        (string, SourceSnapshot)[] before = Heard(services, endpoints), now = Heard(what == "a service" ? [.. services, Service("s9")] : services, changed);
        Assert.Null(EndpointPatch.TryApply(MeshCompiler.Compile(s_mesh, before, s_own), before, now, s_mesh, s_own));
    }
}
