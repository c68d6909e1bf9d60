using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Conformance;

/// <summary>All cases through in-memory ports, each on an engine of its own and captured: what a capture shows is what was counted and what came out. What fails is named <c>group/rule family (document section)</c>.</summary>
public sealed class ConformanceTests
{
    public static TheoryData<CaseName> Names(string group) => [.. ConformanceGroups.Of(group).Cases.Select(entry => new CaseName(entry))];

    [Theory]
    [MemberData(nameof(Names), "forwarding")]
    public Task Forwarding(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "addresses")]
    public Task Addresses(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "malformed")]
    public Task Malformed(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "refusals")]
    public Task Refusals(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "echo")]
    public Task Echo(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "tcp-states")]
    public Task TcpStates(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "states")]
    public Task States(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "related")]
    public Task Related(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "states-in-time")]
    public Task StatesInTime(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "nat")]
    public Task Nat(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "mapping")]
    public Task Mapping(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "filtering-by-address")]
    public Task FilteringByAddress(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "filtering-by-port")]
    public Task FilteringByPort(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "static-nat")]
    public Task StaticNat(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "nat-errors")]
    public Task NatErrors(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "nat-in-time")]
    public Task NatInTime(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "fragments")]
    public Task Fragments(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "filter")]
    public Task Filter(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "service-nat")]
    public Task ServiceNat(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "service-dsr")]
    public Task ServiceDsr(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "service-ipip-in-ipv4")]
    public Task ServiceIpipInIpv4(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "service-ipip-in-ipv6")]
    public Task ServiceIpipInIpv6(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "service-gue-in-ipv4")]
    public Task ServiceGueInIpv4(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "service-gue-in-ipv6")]
    public Task ServiceGueInIpv6(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "decapsulation")]
    public Task Decapsulation(CaseName name) => PlayAsync(name);

    [Theory]
    [MemberData(nameof(Names), "service-changes")]
    public Task ServiceChanges(CaseName name) => PlayAsync(name);

    private static async Task PlayAsync(CaseName name)
    {
        (ConformanceGroup group, ConformanceCase played) = ConformanceGroups.Find(name.ToString());
        await using TestPlane plane = TestPlane.Create(["wan", "lan"], builder => group.Configure(ConformanceWorld.AddTo(builder)), group.LanMtuBytes);
        plane.Capture();
        group.Play(played, new MemoryBed(plane));
    }
}
