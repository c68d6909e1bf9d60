using Dataplane.Configuration;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Mesh.Tests.Services;

/// <summary>Working out what has changed gives what compiling everything gives, and touches nothing else.</summary>
public sealed class MeshChangeTests
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
        + string.Join('\n', tables.Status.Select(status => $"{status.Name} {status.DnsName} {status.Ready} {status.Problem} {string.Join(' ', status.Endpoints.Select(endpoint => $"{endpoint.Address}/{endpoint.Weight}"))}"))
        + string.Join('\n', tables.Owners) + string.Join('\n', tables.Names!.Zones.SelectMany(zone => zone.Records.Select(record => $"{zone.Name} {record}")));

    private static MeshEndpointSpec Any(Random random)
    {
        int service = random.Next(8);
        return Endpoint(random.Next(100), service < 6 ? $"s{service}" : "", service >= 5 ? random.Next(3) == 0 ? "y" : "x" : "", service == 4 ? "other" : "default");
    }

    [Fact]
    public void Compile_AnyChangesOfEndpoints_GivesWhatCompilingAnewGives()
    {
        int kept = 0, sameNames = 0;
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
                MeshTables whole = MeshCompiler.Compile(s_mesh, now, s_own), changed = MeshCompiler.Compile(s_mesh, now, s_own, tables, before);
                Assert.Equal(Text(whole), Text(changed));
                kept += changed.Parts.Count(part => tables.Parts.Contains(part, ReferenceEqualityComparer.Instance));
                if (changed.Names!.Zones.SequenceEqual(tables.Names!.Zones, ReferenceEqualityComparer.Instance))
                {
                    sameNames++;
                    Assert.Same(tables.Names, changed.Names);
                }

                (before, tables) = (now, changed);
            }
        }

        Assert.True(kept > 3000 && sameNames > 600, $"{kept} of 6000 services and {sameNames} of 1000 zones were kept");
    }

    /// <summary>Services of every kind that come, go and change, with names, ports and addresses that meet.</summary>
    [Fact]
    public void Compile_AnyChangesOfServices_GivesWhatCompilingAnewGives()
    {
        int kept = 0, hindered = 0;
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            List<MeshServiceSpec> services = [.. Enumerable.Range(0, 8).Select(_ => AnyService(random))];
            MeshEndpointSpec[] endpoints = [.. Enumerable.Range(0, 40).Select(_ => Any(random))];
            var book = new SourceBook();
            (string, SourceSnapshot)[] before = Heard([.. services], endpoints, book);
            MeshTables tables = MeshCompiler.Compile(s_mesh, before, s_own);
            for (int step = 0; step < 8; step++)
            {
                int at = random.Next(services.Count);
                switch (random.Next(4))
                {
                    case 0 when services.Count > 1:
                        services.RemoveAt(at);
                        break;
                    case 1:
                        services[at] = AnyService(random);
                        break;
                    case 2:
                        endpoints = [.. endpoints.Skip(1), Any(random)];
                        break;
                    default:
                        services.Insert(at, AnyService(random));
                        break;
                }

                (string, SourceSnapshot)[] now = Heard([.. services], endpoints, book);
                MeshTables changed = MeshCompiler.Compile(s_mesh, now, s_own, tables, before);
                Assert.Equal(Text(MeshCompiler.Compile(s_mesh, now, s_own)), Text(changed));
                kept += changed.Parts.Count(part => tables.Parts.Contains(part, ReferenceEqualityComparer.Instance));
                hindered += changed.Parts.Count(part => part.IsHindered);
                (before, tables) = (now, changed);
            }
        }

        Assert.True(kept > 3000 && hindered > 300, $"{kept} services were kept, {hindered} stood behind others");
    }

    /// <summary>Services that come, go and change while nothing of another depends on them: the plan of what is taken goes along, and stays true.</summary>
    [Fact]
    public void Compile_ServicesThatMeetNoOther_AreWorkedOutAlone()
    {
        (int alone, int steps, int moved) = (0, 0, 0);
        for (int seed = 0; seed < 120; seed++)
        {
            var random = new Random(seed);
            MeshSpec mesh = s_mesh with { Addresses = [IpPrefix.Parse(seed % 2 == 0 ? "10.96.0.0/16" : "10.96.0.0/26"), IpPrefix.Parse("fd00:96::/112")] };
            List<MeshServiceSpec> services = [.. Enumerable.Range(0, 10).Select(i => Plain(i, random))];
            List<MeshEndpointSpec> endpoints = [.. Enumerable.Range(0, 60).Select(_ => Any(random))];
            var book = new SourceBook();
            (string, SourceSnapshot)[] before = Heard([.. services], endpoints, book);
            MeshTables tables = MeshCompiler.Compile(mesh, before, s_own);
            for (int step = 0; step < 12; step++, steps++)
            {
                int at = random.Next(services.Count), next = 10 + (step * 2);
                switch (random.Next(4))
                {
                    case 0 when services.Count > 3:
                        services.RemoveAt(at);
                        break;
                    case 1:
                        services[at] = services[at] with { Ports = [new MeshPortSpec { Port = (ushort)(90 + step) }], Aliases = random.Next(3) == 0 ? [$"s{random.Next(30)}"] : [] };
                        break;
                    default:
                        services.Insert(at, Plain(next, random));
                        services.Insert(random.Next(services.Count), Plain(next + 1, random));
                        break;
                }

                endpoints[random.Next(endpoints.Count)] = Any(random) with { Service = $"s{random.Next(40)}" };
                (string, SourceSnapshot)[] now = Heard([.. services], endpoints, book);
                MeshPlan? plan = tables.Plan;
                MeshTables changed = MeshCompiler.Compile(mesh, now, s_own, tables, before);
                Assert.Equal(Text(MeshCompiler.Compile(mesh, now, s_own)), Text(changed));
                bool isAlone = plan is not null && ReferenceEquals(plan, changed.Plan);
                alone += isAlone ? 1 : 0;
                moved += !isAlone && changed.Parts.Any(part => tables.Parts.Any(old => old.Key == part.Key && !old.Addresses.SequenceEqual(part.Addresses))) ? 1 : 0;

                // Tables that have given their plan away are good for the same once more, by way of everything.
                Assert.Equal(Text(changed), Text(MeshCompiler.Compile(mesh, now, s_own, tables, before)));
                (before, tables) = (now, changed);
            }
        }

        Assert.True(alone > 500 && moved > 20, $"{alone} of {steps} steps alone, {moved} moved addresses of others");
    }

    private static MeshServiceSpec Plain(int number, Random random) => Service($"s{number}") with
    {
        Kind = random.Next(5) switch { 0 => MeshServiceKind.Headless, 1 => MeshServiceKind.LoadBalancer, _ => default },
        IsKubernetes = random.Next(2) == 0,
        Selector = random.Next(4) == 0 ? new Dictionary<string, string> { ["app"] = "x" } : new Dictionary<string, string>(),
        Addresses = random.Next(5) == 0 ? [IpAddress.Parse($"10.96.0.{20 + random.Next(40)}")] : [],
    };

    private static MeshServiceSpec AnyService(Random random)
    {
        var service = new MeshServiceSpec
        {
            Name = $"s{random.Next(12)}",
            Namespace = random.Next(4) == 0 ? "other" : "default",
            Kind = random.Next(8) switch { 0 => MeshServiceKind.Headless, 1 => MeshServiceKind.LoadBalancer, 2 => MeshServiceKind.ExternalName, _ => default },
            ExternalName = "www.example.org",
            Ports = [new MeshPortSpec { Name = random.Next(2) == 0 ? "http" : "", Port = (ushort)(80 + random.Next(2)) }],
            Selector = random.Next(4) == 0 ? new Dictionary<string, string> { ["app"] = "x" } : new Dictionary<string, string>(),
            IsKubernetes = random.Next(2) == 0,
            Aliases = random.Next(4) == 0 ? [$"s{random.Next(12)}", "alias"] : [],
        };

        // Addresses that several name, and protection.
        return service.Kind == MeshServiceKind.ClusterIp && random.Next(4) == 0 ? service with { Addresses = [IpAddress.Parse($"10.96.0.{random.Next(2) + 1}")] }
            : service.Kind == MeshServiceKind.ClusterIp && random.Next(4) == 0 ? service with { Tls = MeshServiceTls.Mutual } : service;
    }

    [Fact]
    public void Compile_OneEndpoint_LeavesEveryOtherServiceTheSameObject()
    {
        MeshEndpointSpec[] endpoints = [.. Enumerable.Range(0, 20).Select(i => Endpoint(i, $"s{i % 2}"))], changed = [.. endpoints];
        changed[7] = changed[7] with { Weight = 77 };
        var book = new SourceBook();
        (string, SourceSnapshot)[] before = Heard(s_services, endpoints, book), now = Heard(s_services, changed, book);
        MeshTables tables = MeshCompiler.Compile(s_mesh, before, s_own), patched = MeshCompiler.Compile(s_mesh, now, s_own, tables, before);
        Assert.All(tables.Services.Zip(patched.Services, tables.Owners), pair => Assert.Equal(
            tables.Parts[pair.Third].Wanted.Name == "s1" && !pair.First.Backends.SequenceEqual(pair.Second.Backends), !ReferenceEquals(pair.First, pair.Second)));
        Assert.Contains(patched.Services, service => service.Backends.Any(backend => backend.Weight == 77));
    }

    /// <summary>What is not looked at cannot be copied either: the endpoints of all other services are known by their groups alone.</summary>
    [Fact]
    public void Compile_OneEndpointOfMany_ReadsNoEndpointOfAnotherService()
    {
        MeshServiceSpec[] services = [.. Enumerable.Range(0, 40).Select(i => Service($"t{i}"))];
        int read = 0;
        EndpointSet all = EndpointSet.Empty.With([.. Enumerable.Range(0, 40).Select(i => new EndpointGroup("default", $"t{i}", new Watched([.. Enumerable.Range(0, 25).Select(j => Endpoint(i * 25 + j, $"t{i}"))], () => read++)))]);
        EndpointGroup group = all.Groups[7];
        EndpointSet changed = all.With([new EndpointGroup("default", group.Endpoints[0].Service, [group.Endpoints[0] with { Weight = 9 }, .. group.Endpoints.Skip(1)])]);
        (string, SourceSnapshot)[] Said(EndpointSet endpoints) => [("one", new SourceSnapshot { Revision = 1, Services = services, Endpoints = endpoints })];
        MeshTables tables = MeshCompiler.Compile(s_mesh, Said(all), s_own);
        read = 0;
        MeshTables patched = MeshCompiler.Compile(s_mesh, Said(changed), s_own, tables, Said(all));
        Assert.Equal([group.Key], patched.Parts.Where(part => !tables.Parts.Contains(part, ReferenceEqualityComparer.Instance)).Select(part => part.Key));
        Assert.Equal(0, read);
    }

    /// <summary>An endpoint's own name may be that of an alias, which the service before it in the order then loses or keeps.</summary>
    [Theory]
    [InlineData("b", "a")]
    [InlineData("a", "b")]
    public void Compile_EndpointTakesOrLeavesTheNameOfAnAlias_GivesWhatCompilingAnewGives(string hostname, string later)
    {
        // a.db.mesh.example is the alias a of the name space db, and the endpoint a of the service db.
        MeshServiceSpec[] services =
        [
            .. s_services, Service("db") with { Kind = MeshServiceKind.Headless },
            new MeshServiceSpec { Name = "a", Namespace = "db", Kind = MeshServiceKind.ExternalName, ExternalName = "www.example.org" },
        ];
        MeshEndpointSpec[] others = [.. Enumerable.Range(0, 200).Select(i => Endpoint(i, "s0"))];
        var book = new SourceBook();
        (string, SourceSnapshot)[] before = Heard(services, [.. others, Endpoint(1, "db") with { Hostname = hostname }], book),
            now = Heard(services, [.. others, Endpoint(1, "db") with { Hostname = later }], book);
        MeshTables tables = MeshCompiler.Compile(s_mesh, before, s_own), changed = MeshCompiler.Compile(s_mesh, now, s_own, tables, before);
        Assert.Equal(Text(MeshCompiler.Compile(s_mesh, now, s_own)), Text(changed));
        Assert.Equal(later == "a", changed.Parts.Any(part => part.IsHindered));
        Assert.Equal(hostname == "a", tables.Parts.Any(part => part.IsHindered));
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

    [Theory]
    [InlineData("a service")]
    [InlineData("a headless one")]
    public void Compile_OneServiceMoreOrOneHeadlessEndpoint_LeavesEveryOtherPartAndRecordTheSameObject(string what)
    {
        MeshServiceSpec[] services = [Service("s0"), Service("s1") with { Kind = MeshServiceKind.Headless }, Service("s2") with { Selector = new Dictionary<string, string> { ["app"] = "x" } }];
        MeshEndpointSpec[] endpoints = [.. Enumerable.Range(0, 200).Select(i => Endpoint(i, i < 15 ? "s1" : "s0"))], changed = [.. endpoints];
        changed[6] = what == "a service" ? endpoints[6] : endpoints[6] with { Weight = 9 };
        var book = new SourceBook();
        (string, SourceSnapshot)[] before = Heard(services, endpoints, book), now = Heard(what == "a service" ? [.. services, Service("s1a")] : services, changed, book);
        MeshTables tables = MeshCompiler.Compile(s_mesh, before, s_own), other = MeshCompiler.Compile(s_mesh, now, s_own, tables, before);
        string[] touched = [.. other.Parts.Where(part => !tables.Parts.Contains(part, ReferenceEqualityComparer.Instance)).Select(part => part.Wanted.Name)];
        Assert.Equal([what == "a service" ? "s1a" : "s1"], touched);
        var known = new HashSet<NameRecord>(tables.Names!.Zones.SelectMany(zone => zone.Records), ReferenceEqualityComparer.Instance);
        NameRecord[] came = [.. other.Names!.Zones.SelectMany(zone => zone.Records).Where(record => !known.Contains(record))];
        Assert.InRange(came.Length, 1, what == "a service" ? 6 : 2);
    }
}
