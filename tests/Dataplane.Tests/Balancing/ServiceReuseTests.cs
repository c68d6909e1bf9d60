using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Health;
using Dataplane.Names;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Balancing;

/// <summary>An update compiles the services that it changes, and no others.</summary>
public sealed class ServiceReuseTests
{
    private const int Services = 40;

    [Fact]
    public async Task Update_OfOneBackend_CompilesItsServiceAlone()
    {
        await using TestPlane plane = Create();
        ServiceRuntime[] before = plane.Engine.Workers.Tables!.Services.Services;
        Assert.Equal(Services, before.Length);
        ChangeReceipt receipt = await plane.Engine.UpdateAsync(spec => With(spec, 7, service => service with { Backends = [service.Backends[0] with { Weight = 9 }, service.Backends[1]] }));
        Assert.Equal((1, 9), (plane.Engine.ServicesCompiled, Assert.Single(receipt.Backends).WeightAfter));
        ServiceRuntime[] after = plane.Engine.Workers.Tables!.Services.Services;
        Assert.Same(before[8].Table, after[8].Table);
        Assert.Equal([7], Enumerable.Range(0, Services).Where(i => !ReferenceEquals(before[i], after[i])));
    }

    /// <summary>A service that comes or goes has the routes made anew, but answers of backends only where there are others.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Update_ServiceComesAndGoes_MakesReturnsAnewForItsBackendsAlone(int backends)
    {
        await using TestPlane plane = Create();
        ReturnTable before = plane.Engine.Workers.Tables!.Returns;
        ServiceSpec more = plane.Engine.Spec.Services[3] with
        {
            Name = "more",
            Address = IpAddress.Parse("198.51.100.250"),
            Backends = [.. Enumerable.Range(0, backends).Select(_ => new BackendSpec { Address = IpAddress.Parse("10.1.0.77"), Port = 7777 })],
        };
        await plane.Engine.UpdateAsync(spec => spec with { Services = [.. spec.Services.Take(5), more, .. spec.Services.Skip(5)] });
        ReturnTable with = plane.Engine.Workers.Tables!.Returns;
        Assert.Equal(backends == 0, ReferenceEquals(before, with));
        var backend = IpAddress.Parse("10.1.0.77");
        var key = new FlowKey { SourceHigh = backend.High, SourceLow = backend.Low, Transport = (7777ul << 48) | ((ulong)more.Protocol << 8) | (byte)backend.Family };
        Assert.Equal(backends > 0, with.TryFind(in key, out _));
        await plane.Engine.UpdateAsync(spec => spec with { Services = [.. spec.Services.Where(service => service.Name != "more")] });
        Assert.False(plane.Engine.Workers.Tables!.Returns.TryFind(in key, out _));
    }

    [Fact]
    public async Task Update_ThatSaysTheSameInOtherObjects_CompilesNothing()
    {
        await using TestPlane plane = Create();
        DataplaneSpec again = SpecReader.Read(SpecWriter.ToNode(plane.Engine.Spec)).Spec with { Ports = plane.Engine.Spec.Ports };
        Assert.NotSame(plane.Engine.Spec.Services[3], again.Services[3]);
        await plane.Engine.UpdateAsync(again);
        Assert.Equal(0, plane.Engine.ServicesCompiled);
        await plane.Engine.UpdateAsync(spec => spec with { Routes = [.. spec.Routes] });
        Assert.Equal(0, plane.Engine.ServicesCompiled);
    }

    [Fact]
    public async Task Health_OfOneBackend_CompilesItsServiceAlone()
    {
        await using TestPlane plane = Create();
        IpAddress backend = IpAddress.Parse("10.1.0.11");
        Assert.NotNull(await plane.Engine.ReportHealthAsync("s5", backend, 1005, false, "test"));
        Assert.Equal(1, plane.Engine.ServicesCompiled);
        Assert.Equal(BackendState.Down, plane.Engine.ReadServices()[5].Backends[0].State);
        Assert.NotNull(await plane.Engine.ReportHealthAsync("s5", backend, 1005, true, "test"));
        Assert.Equal(1, plane.Engine.ServicesCompiled);
        Assert.Equal(BackendState.Up, plane.Engine.ReadServices()[5].Backends[0].State);

        // Nothing is left of it.
        await plane.Engine.UpdateAsync(spec => With(spec, 6, service => service with { NoBackend = NoBackendPolicy.Reject }));
        Assert.Equal(1, plane.Engine.ServicesCompiled);
    }

    [Fact]
    public async Task SlowStartAndDeadline_AreCompiledUntilTheyAreOver()
    {
        await using TestPlane plane = Create();
        await plane.Engine.UpdateAsync(spec => With(spec, 2, service => service with
        {
            Backends = [service.Backends[0] with { Drain = true, DrainDeadline = TimeSpan.FromSeconds(5) }, service.Backends[1]],
        }));
        Assert.Equal(BackendState.Draining, plane.Engine.ReadServices()[2].Backends[0].State);

        // Another service changes meanwhile; the drain goes on.
        await plane.Engine.UpdateAsync(spec => With(spec, 3, service => service with { OnRemove = RemovePolicy.Reset }));
        Assert.Equal(2, plane.Engine.ServicesCompiled);
        plane.Wait(TimeSpan.FromSeconds(6));
        Assert.Equal(BackendState.Drained, plane.Engine.ReadServices()[2].Backends[0].State);
        Assert.Equal(1, plane.Engine.ServicesCompiled);
        await plane.Engine.UpdateAsync(spec => With(spec, 3, service => service with { OnRemove = RemovePolicy.Move }));
        Assert.Equal(1, plane.Engine.ServicesCompiled);

        await plane.Engine.UpdateAsync(spec => With(spec, 4, service => service with { Health = new HealthSpec { Check = HealthCheckKind.None, SlowStart = TimeSpan.FromSeconds(10) } }));
        await plane.Engine.ReportHealthAsync("s4", IpAddress.Parse("10.1.0.11"), 1004, false, "test");
        await plane.Engine.ReportHealthAsync("s4", IpAddress.Parse("10.1.0.11"), 1004, true, "test");
        plane.Wait(TimeSpan.FromSeconds(11));
        await plane.Engine.UpdateAsync(spec => With(spec, 3, service => service with { OnRemove = RemovePolicy.Reset }));
        Assert.Equal(1, plane.Engine.ServicesCompiled);
    }

    [Fact]
    public async Task Update_OfServicesAlone_IsCheckedAsAWhole()
    {
        await using TestPlane plane = Create();
        async Task Refused(Func<DataplaneSpec, DataplaneSpec> change, string error)
        {
            ConfigurationException wrong = await Assert.ThrowsAsync<ConfigurationException>(() => plane.Engine.UpdateAsync(change));
            Assert.Equal(error, Assert.Single(wrong.Errors).ToString());
        }

        await Refused(spec => With(spec, 1, service => service with { Backends = [service.Backends[0] with { Weight = -1 }] }),
            "services[1].backends[0].weight: \"-1\": is not a weight from 0 to 65535");
        await Refused(spec => With(spec, 1, service => service with { Name = "s0" }), "services[1].name: \"s0\": is the name of services[0].name already; names are unique");
        await Refused(spec => spec with { Services = [.. spec.Services, spec.Services[3] with { Name = "more" }] },
            "services[40].address: \"203.0.113.80\": is served by services[3] already, with the same port and protocol");

        // The address of one service is a backend of all others, which are the same as before.
        ConfigurationException taken = await Assert.ThrowsAsync<ConfigurationException>(
            () => plane.Engine.UpdateAsync(spec => With(spec, 1, service => service with { Address = IpAddress.Parse("10.1.0.12") })));
        Assert.Equal(Services + 1, taken.Errors.Count);
        Assert.Equal(1, plane.Engine.Version);
    }

    /// <summary>What is known to be valid is not looked at again; what is found must not depend on that.</summary>
    [Fact]
    public async Task Validate_OneServiceInItsPlace_FindsWhatIsFoundWithNothingKnown()
    {
        await using TestPlane plane = Create();
        DataplaneSpec valid = plane.Engine.Spec;
        string[] addresses = ["10.1.0.11", "10.1.0.12", "10.1.0.1", "203.0.113.80", "198.51.100.1", "10.1.0.255", "127.0.0.1", "2001:db8::1", "224.0.0.1"];
        int wrong = 0;
        for (int seed = 0; seed < 400; seed++)
        {
            var random = new Random(seed);
            BackendSpec Backend() => new() { Address = IpAddress.Parse(addresses[random.Next(addresses.Length)]), Port = (ushort)random.Next(3), Weight = random.Next(-1, 3) };
            DataplaneSpec other = With(valid, random.Next(Services), service => service with
            {
                Backends = [.. Enumerable.Range(0, random.Next(4)).Select(_ => Backend())],
                Address = random.Next(8) == 0 ? IpAddress.Parse(addresses[random.Next(addresses.Length)]) : service.Address,
                Name = random.Next(8) == 0 ? "s3" : service.Name,
                Port = (ushort)(random.Next(8) == 0 ? random.Next(3) : service.Port),
                TableSize = random.Next(8) == 0 ? 100 : service.TableSize,
                Protocol = (byte)(random.Next(8) == 0 ? 1 : service.Protocol),
            });
            IReadOnlyList<ConfigurationError> whole = SpecValidator.Validate(other);
            Assert.Equal(whole, SpecValidator.Validate(other, valid));
            wrong += whole.Count > 0 ? 1 : 0;
        }

        Assert.InRange(wrong, 100, 399);
    }

    /// <summary>A service that comes makes its address the engine's own, where no backend of another can be.</summary>
    [Fact]
    public async Task Validate_ServicesThatComeAndGo_FindsWhatIsFoundWithNothingKnown()
    {
        await using TestPlane plane = Create();
        DataplaneSpec valid = plane.Engine.Spec;
        string[] addresses = ["10.1.0.11", "203.0.113.81", "203.0.113.80", "198.51.100.1", "203.0.113.82"];
        int wrong = 0;
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var services = valid.Services.ToList();
            services.RemoveRange(random.Next(Services - 3), random.Next(3));
            services.Insert(random.Next(services.Count), Create(100, 1).Single() with { Address = IpAddress.Parse(addresses[random.Next(addresses.Length)]) });
            DataplaneSpec other = valid with { Services = services };
            IReadOnlyList<ConfigurationError> whole = SpecValidator.Validate(other);
            Assert.Equal(whole, SpecValidator.Validate(other, valid));
            wrong += whole.Count > 0 ? 1 : 0;
        }

        Assert.InRange(wrong, 20, 180);
    }

    [Fact]
    public async Task Update_OfRecordsAlone_KeepsEverythingButNames()
    {
        await using TestPlane plane = Create();
        NameServerSpec Server(params NameRecord[] records) =>
            new() { Name = "dns", Addresses = [IpAddress.Parse("198.51.100.53")], Zones = [new ZoneSpec { Name = "mesh.example", Records = records }] };
        NameRecord one = NameRecord.Of("a.mesh.example", IpAddress.Parse("10.1.0.1"));
        await plane.Engine.UpdateAsync(spec => spec with { Names = [Server(one)] });
        ForwardingTables before = plane.Engine.Workers.Tables!;
        await plane.Engine.UpdateAsync(spec => spec with { Names = [Server(one, NameRecord.Of("b.mesh.example", IpAddress.Parse("10.1.0.2")))] });
        ForwardingTables after = plane.Engine.Workers.Tables!;
        Assert.Equal((0, before.Names.Servers[0].Table.Count + 1), (plane.Engine.ServicesCompiled, after.Names.Servers[0].Table.Count));
        Assert.Same(before.Interfaces, after.Interfaces);
        Assert.Same(before.Filter, after.Filter);

        // Another address is another matter: the engine must answer for it.
        await plane.Engine.UpdateAsync(spec => spec with { Names = [Server(one) with { Addresses = [IpAddress.Parse("198.51.100.54")] }] });
        Assert.NotSame(after.Interfaces, plane.Engine.Workers.Tables!.Interfaces);
    }

    [Fact]
    public async Task Services_ThatGoAndCome_LeaveNoSlotBehind()
    {
        await using TestPlane plane = Create();
        for (int round = 0; round < 50; round++)
        {
            int at = round % Services;
            await plane.Engine.UpdateAsync(spec => spec with { Services = [.. spec.Services.Where(service => service.Name != $"s{at}")] });
            Assert.Equal(0, plane.Engine.ServicesCompiled);
            await plane.Engine.UpdateAsync(spec => spec with { Services = [.. Create(at, 1), .. spec.Services] });
            Assert.Equal(1, plane.Engine.ServicesCompiled);
        }

        // Two for the service that is new when the slots of the one that goes are not free yet.
        Assert.InRange(plane.Engine.Workers.Tables!.BackendGenerations.Length, 2 * Services, (2 * Services) + 4);
        byte[] left = plane.SendForOne("wan", ServiceNet.V4.FromClient().Tcp(1, 1000).Build(), "lan");
        Assert.Equal((1000 >> 8, 1000 & 255), (left[36], left[37]));
    }

    private static DataplaneSpec With(DataplaneSpec spec, int number, Func<ServiceSpec, ServiceSpec> change) =>
        spec with { Services = [.. spec.Services.Select((service, i) => i == number ? change(service) : service)] };

    private static IEnumerable<ServiceSpec> Create(int first, int count) => Enumerable.Range(first, count).Select(i => new ServiceSpec
    {
        Name = $"s{i}",
        Address = ServiceNet.V4.Service,
        Port = (ushort)(1000 + i),
        TableSize = 251,
        Backends = [.. new[] { 11, 12 }.Select(host => new BackendSpec { Address = ServiceNet.V4.Backend(host), Port = (ushort)(1000 + i) })],
    });

    private static TestPlane Create()
    {
        TestPlane plane = TestPlane.Create(builder =>
        {
            foreach (ServiceSpec service in Create(0, Services))
            {
                builder.Service(service.Name, service.Address.ToString(), service.Port, made =>
                {
                    made.Maglev(service.TableSize);
                    foreach (BackendSpec backend in service.Backends)
                    {
                        made.Backend(backend.Address.ToString(), backend.Port);
                    }
                });
            }
        });
        return plane;
    }
}
