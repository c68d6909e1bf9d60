using System.Diagnostics.Metrics;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Dataplane.Hosting.Tests.Metrics;

public sealed class DataplaneMeterTests
{
    [Fact]
    public async Task Meter_EngineRuns_PublishesEveryInstrumentWithItsAttributes()
    {
        var port = new MemoryPort();
        HostApplicationBuilder builder = Testing.NewHost(out _);
        builder.Services.AddDataplane().Configure(Testing.OnePort(port));
        using IHost host = builder.Build();
        await host.StartAsync();
        DataplaneEngine engine = host.Services.GetRequiredService<DataplaneEngine>();
        await Testing.AskArpAsync(port, engine);
        Assert.True(port.TrySend(new byte[5]));
        await Testing.UntilAsync(() => engine.ReadAccounting().Dropped == 1, "the drop");

        var seen = new List<(Instrument Instrument, long Value, Dictionary<string, object?> Tags)>();
        object factory = host.Services.GetRequiredService<IMeterFactory>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            // Tests run side by side, each with a meter of the same name; a factory's meters are marked with it.
            if (instrument.Meter.Name == "Dataplane" && ReferenceEquals(instrument.Meter.Scope, factory))
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
            seen.Add((instrument, value, tags.ToArray().ToDictionary(tag => tag.Key, tag => tag.Value))));
        listener.Start();
        listener.RecordObservableInstruments();

        Assert.Equal(Testing.ArpRequest.Length + 5, Value("dataplane.network.io", ("network.interface.name", "wan"), ("network.io.direction", "receive")));
        Assert.Equal(1, Value("dataplane.network.packet.count", ("network.io.direction", "transmit")));
        Assert.Equal(1, Value("dataplane.running"));
        Assert.InRange(Value("dataplane.network.poll.count", ("dataplane.network.poll.result", "batch")), 1, 2);
        Assert.True(Value("dataplane.network.poll.count", ("dataplane.network.poll.result", "nothing")) > 0);
        Assert.Equal(0, Value("dataplane.network.wakes"));
        Assert.Equal(0, Value("dataplane.worker.handed_over", ("dataplane.worker.id", "0")));
        Assert.Equal(0, Value("dataplane.worker.taken_over", ("dataplane.worker.id", "0")));
        Assert.True(Value("dataplane.worker.packet.count", ("dataplane.worker.id", "0")) > 0);
        Assert.True(Value("dataplane.worker.sleeps", ("dataplane.worker.id", "0")) > 0);
        Assert.True(Value("dataplane.worker.rounds", ("dataplane.worker.id", "0"), ("dataplane.worker.state", "busy")) > 0);
        Assert.True(Value("dataplane.worker.rounds", ("dataplane.worker.id", "0"), ("dataplane.worker.state", "idle")) > 0);
        (Instrument Instrument, long Value, Dictionary<string, object?> Tags)[] batches = [.. seen.Where(entry => entry.Instrument.Name == "dataplane.worker.batch.count")];
        Assert.Equal(["1", "2", "4", "8", "16", "32", "64", "128", "256"], batches.Select(entry => entry.Tags["dataplane.worker.batch.size"]));
        Assert.InRange(batches.Sum(entry => entry.Value), 1, Value("dataplane.worker.packet.count", ("dataplane.worker.id", "0")));
        Assert.Equal(0, Value("dataplane.config.reloads", ("result", "rejected")));
        Assert.Equal(DropReasonNames.Count - 1, seen.Count(entry => entry.Instrument.Name == "dataplane.network.packet.dropped"));
        Assert.Equal(1, Value("dataplane.network.packet.dropped", ("dataplane.drop.reason", "truncated_ethernet")));
        Assert.IsType<ObservableCounter<long>>(seen.First(entry => entry.Instrument.Name == "dataplane.network.io").Instrument);
        Assert.Equal("By", seen.First(entry => entry.Instrument.Name == "dataplane.network.io").Instrument.Unit);
        Assert.IsType<ObservableUpDownCounter<long>>(seen.First(entry => entry.Instrument.Name == "dataplane.flow.count").Instrument);
        Assert.All(seen, entry => Assert.Matches(@"^dataplane(\.[a-z_]+)+$", entry.Instrument.Name));
        await host.StopAsync();

        long Value(string name, params (string Key, object Value)[] tags) =>
            seen.Single(entry => entry.Instrument.Name == name && tags.All(tag => Equals(entry.Tags.GetValueOrDefault(tag.Key), tag.Value))).Value;
    }
}
