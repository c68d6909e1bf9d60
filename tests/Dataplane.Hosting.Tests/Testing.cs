using System.Diagnostics;
using Dataplane.Ports;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Dataplane.Hosting.Tests;

/// <summary>What the tests of this project share.</summary>
internal static class Testing
{
    /// <summary>Who has 198.18.0.1? Asked by 198.18.0.9.</summary>
    public static readonly byte[] ArpRequest = Convert.FromHexString(
        "ffffffffffff" + "020000000009" + "0806" + "0001080006040001" + "020000000009" + "c6120009" + "000000000000" + "c6120001");

    /// <summary>A host that logs into a list and nowhere else.</summary>
    public static HostApplicationBuilder NewHost(out LogList log)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        var list = new LogList();
        builder.Logging.AddProvider(list);
        log = list;
        return builder;
    }

    /// <summary>Configures one in-memory port "wan" with address 198.18.0.1/24.</summary>
    public static Action<DataplaneBuilder> OnePort(MemoryPort port) => builder => builder.Port("wan", PortSource.Memory(port)).Interface("wan", "198.18.0.1/24");

    /// <summary>Configuration of keys and values that can be changed later.</summary>
    public static IConfigurationRoot Configuration(params (string Key, string? Value)[] values) =>
        new ConfigurationBuilder().AddInMemoryCollection(values.Select(pair => KeyValuePair.Create(pair.Key, pair.Value))).Build();

    /// <summary>Waits for something that happens on another thread; fails when it has not happened for very long.</summary>
    public static async Task UntilAsync(Func<bool> happened, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!happened())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30), $"{what} has not happened for 30 seconds");
            await Task.Delay(10);
        }
    }

    /// <summary>Asks for the engine's address over a port, and waits until the engine has counted question and answer.</summary>
    public static Task AskArpAsync(MemoryPort port, DataplaneEngine engine)
    {
        AskArp(port);
        return UntilAsync(() => engine.ReadAccounting() is { Received: 1, Transmitted: 1 }, "the count");
    }

    /// <summary>Asks for the engine's address over a port and returns the answer.</summary>
    public static byte[] AskArp(MemoryPort port)
    {
        Assert.True(port.TrySend(ArpRequest));
        Assert.True(port.WaitToReceive(TimeSpan.FromSeconds(30)), "no answer for 30 seconds");
        byte[] answer = new byte[128];
        Assert.True(port.TryReceive(answer, out int length));
        return answer[..length];
    }
}
