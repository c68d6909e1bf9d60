using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Balancing;

/// <summary>Sequences of services that come, go, change and move: what is found, and compiled, from what is known is what is found and compiled from nothing.</summary>
public sealed class ServiceChangeTests
{
    private static readonly string[] s_backends = ["10.1.0.11", "10.1.0.12", "10.1.0.13", "10.1.0.14"];
    private static readonly string[] s_addresses = ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.9", "192.0.2.9", "10.1.0.14"];

    [Fact]
    public void Validate_AfterAnySequence_FindsWhatIsFoundWithNothingKnown()
    {
        using var plane = new TestPlaneOwner();
        (int wrong, int right, int alone) = (0, 0, 0);
        for (int seed = 0; seed < 150; seed++)
        {
            var random = new Random(seed);
            DataplaneSpec valid = plane.Spec;
            bool hasPrefixes = random.Next(3) == 0;
            for (int step = 0; step < 12; step++)
            {
                DataplaneSpec other = valid with { Services = Change(valid.Services, random, hasPrefixes) };
                IReadOnlyList<ConfigurationError> whole = SpecValidator.Validate(other);
                Assert.Equal(whole, SpecValidator.Validate(other, valid));
                bool isAlone = ServiceArrivals.Find(valid, other) is not null;
                alone += isAlone && whole.Count == 0 ? 1 : 0;
                (wrong, right) = whole.Count > 0 ? (wrong + 1, right) : (wrong, right + 1);
                valid = whole.Count > 0 ? valid : other;
            }
        }

        Assert.True(wrong > 150 && right > 300 && alone > 200, $"{wrong} wrong, {right} right, {alone} by what came alone");
    }

    [Fact]
    public async Task Update_AfterAnySequence_FindsServicesAndBackendsAsTablesMadeAnew()
    {
        (int updates, int kept, int more) = (0, 0, 0);
        for (int seed = 0; seed < 25; seed++)
        {
            var random = new Random(seed);
            await using TestPlane plane = TestPlane.Create(_ => { });
            for (int step = 0; step < 15; step++)
            {
                DataplaneSpec before = plane.Engine.Spec, other = before with { Services = Change(before.Services, random, hasPrefixes: false) };
                if (SpecValidator.Validate(other).Count > 0)
                {
                    continue;
                }

                ForwardingTables tables = plane.Engine.Workers.Tables!;
                await plane.Engine.UpdateAsync(other);
                ForwardingTables now = plane.Engine.Workers.Tables!;
                updates++;
                kept += ReferenceEquals(tables.Returns, now.Returns) ? 1 : 0;
                more += now.Services.Services.Length == tables.Services.Services.Length ? 0 : 1;
                Assert.Equal(other.Services.Count, now.Services.Services.Length);
                Assert.All(other.Services.Zip(now.Services.Services), pair => Assert.True(ServiceCompiler.AreSame(pair.First, pair.Second.Spec)));
                Compare(now);
                foreach (IpAddress address in other.Services.Concat(before.Services).Select(service => service.Address))
                {
                    Assert.Equal(other.Services.Any(service => service.Address == address), now.Lookup(address)?.Kind == RouteKind.Local);
                }
            }
        }

        Assert.True(updates > 120 && kept > 20 && more > 60, $"{updates} updates, {kept} kept the backends' table, {more} with services more or less");
    }

    /// <summary>Every address and port that a packet may come from or go to.</summary>
    private static void Compare(ForwardingTables now)
    {
        var returns = new ReturnTable(now.Services.Services);
        var services = new ServiceTable(now.Services.Services);
        foreach (IpAddress address in s_backends.Concat(s_addresses).Select(text => IpAddress.Parse(text)))
        {
            for (ushort port = 79; port < 84; port++)
            {
                foreach (byte protocol in new[] { IpProtocols.Tcp, IpProtocols.Udp })
                {
                    var from = new FlowKey { SourceHigh = address.High, SourceLow = address.Low, Transport = ((ulong)port << 48) | ((ulong)protocol << 8) | (byte)address.Family };
                    bool isFound = returns.TryFind(in from, out ReturnTable.Place wanted);
                    Assert.Equal(isFound, now.Returns.TryFind(in from, out ReturnTable.Place found));
                    if (isFound)
                    {
                        Assert.Equal((wanted.Service, wanted.Slot, wanted.Ports), (found.Service, found.Slot, found.Ports));
                    }

                    var to = new FlowKey { DestinationHigh = address.High, DestinationLow = address.Low, Transport = ((ulong)port << 32) | ((ulong)protocol << 8) | (byte)address.Family };
                    Assert.Same(services.Find(in to), now.Services.Find(in to));
                }
            }
        }
    }

    private static ServiceSpec[] Change(IReadOnlyList<ServiceSpec> before, Random random, bool hasPrefixes)
    {
        List<ServiceSpec> services = [.. before];
        for (int changes = random.Next(1, 3); changes > 0; changes--)
        {
            int at = random.Next(services.Count + 1);
            ServiceSpec any = Service(random.Next(40), s_addresses[random.Next(s_addresses.Length)]) with
            {
                Port = (ushort)(80 + random.Next(3)),
                Protocol = random.Next(4) == 0 ? IpProtocols.Udp : IpProtocols.Tcp,
                Backends = [.. Enumerable.Range(0, random.Next(3)).Select(_ => new BackendSpec { Address = IpAddress.Parse(s_backends[random.Next(s_backends.Length)]), Port = (ushort)(80 + random.Next(2)) })],
            };
            any = random.Next(10) switch
            {
                0 when hasPrefixes => any with { Address = IpAddress.Parse("203.0.113.0"), PrefixLength = 28 },
                1 => any with { LastPort = (ushort)(any.Port + random.Next(3)), Backends = [.. any.Backends.Select(backend => backend with { Port = 0 }).DistinctBy(backend => backend.Address)] },
                2 => any with { TableSize = 250 },
                _ => any,
            };
            switch (random.Next(6))
            {
                case 0 when at < services.Count:
                    services.RemoveAt(at);
                    break;
                case 1 when at < services.Count:
                    services[at] = services[at] with { Backends = any.Backends };
                    break;
                case 2 when at < services.Count:
                    services[at] = services[at] with { Backends = [.. services[at].Backends] };
                    break;
                case 3 when at < services.Count:
                    ServiceSpec moved = services[at];
                    services.RemoveAt(at);
                    services.Insert(random.Next(services.Count + 1), moved);
                    break;
                default:
                    services.Insert(at, any);
                    break;
            }
        }

        return [.. services];
    }

    private static ServiceSpec Service(int number, string address) => new()
    {
        Name = $"s{number}",
        Address = IpAddress.Parse(address),
        Port = 80,
        TableSize = 251,
    };

    /// <summary>A specification with two interfaces and nothing else.</summary>
    private sealed class TestPlaneOwner : IDisposable
    {
        private readonly TestPlane _plane = TestPlane.Create(_ => { });

        public DataplaneSpec Spec => _plane.Engine.Spec;

        public void Dispose() => _plane.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
