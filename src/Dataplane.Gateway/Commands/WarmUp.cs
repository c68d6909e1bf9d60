using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Commands;

/// <summary>Has a configuration forward some packets in memory, so that its code is compiled before the first real one waits for it.</summary>
/// <remarks>Without it a process that is compiled just in time forwards nothing for a tenth of a second after it has taken over.</remarks>
internal static class WarmUp
{
    /// <summary>Interfaces between which packets are sent; more take the same ways.</summary>
    private const int MostInterfaces = 6;

    private const ushort ClientPort = 40_000, ServerPort = 9;

    /// <summary>Forwards packets of both families between the interfaces, and to the services. Nothing leaves the process.</summary>
    public static async Task RunAsync(DataplaneSpec spec)
    {
        (InterfaceSpec At, NeighbourSpec Host)[] hosts = [.. spec.Interfaces.Where(entry => entry.Vlan == 0 && HostOf(entry) is not null).Take(MostInterfaces)
            .Select(entry => (entry, new NeighbourSpec { Port = entry.Port, Address = HostOf(entry)!.Value, Mac = new MacAddress(0x0200_0000_00FE) }))];
        await using DataplaneEngine engine = OfflineEngine.Start(spec with
        {
            Neighbours = [.. spec.Neighbours, .. hosts.Select(host => host.Host).Where(host => !spec.Neighbours.Any(known => known.Port == host.Port && known.Address == host.Address))],
        });
        foreach ((InterfaceSpec at, NeighbourSpec from) in hosts)
        {
            if (engine.Spec.Ports.First(port => port.Name == at.Port).Factory is not MemoryPort port)
            {
                continue;
            }

            IEnumerable<(IpAddress Address, ushort Port)> others = hosts.Where(host => host.At.Port != at.Port).Select(host => (host.Host.Address, ServerPort));
            foreach ((IpAddress to, ushort number) in others.Concat(spec.Services.Take(MostInterfaces).Select(service => (service.Address, service.Port))))
            {
                if (to.Family == from.Address.Family)
                {
                    Send(engine, port, [.. FramesOf(from, at.Mac ?? port.Mac, to, number)]);
                }
            }
        }
    }

    /// <summary>Has one engine hand over to another in this process, as it will have to later.</summary>
    public static async Task HandOverAsync(DataplaneSpec spec)
    {
        // Health would be checked by real sockets, and names asked for.
        DataplaneSpec offline = OfflineEngine.SpecOf(spec with { Services = [.. spec.Services.Select(service => service with { Health = null })], Names = [] });
        string path = $"@dataplane-warm-up-{Environment.ProcessId}-{Guid.NewGuid():N}";
        await using var first = new DataplaneEngine(offline);
        await using var second = new DataplaneEngine(offline);
        await first.StartAsync().ConfigureAwait(false);
        Task handed = first.HandOverAsync(path);
        HandOverReceipt receipt = await second.StartAfterAsync(path).ConfigureAwait(false);
        await handed.ConfigureAwait(false);
        await first.DisposeAsync().ConfigureAwait(false);
        await receipt.PredecessorEnded.ConfigureAwait(false);
    }

    private static IEnumerable<byte[]> FramesOf(NeighbourSpec from, MacAddress mac, IpAddress to, ushort number)
    {
        PacketBuilder Packet() => PacketBuilder.Ethernet(from.Mac, mac).Ip(from.Address, to);
        yield return Packet().Tcp(ClientPort, number, TcpFlags.Syn).Build();
        yield return Packet().Tcp(ClientPort, number, TcpFlags.Ack, sequenceNumber: 1).PayloadOf(100).Build();
        yield return Packet().Udp(ClientPort, number).PayloadOf(100).Build();
        yield return Packet().Udp(ClientPort, number).PayloadOf(100).Build();
        yield return Packet().EchoRequest(1, 1).Build();
    }

    private static void Send(DataplaneEngine engine, MemoryPort port, byte[][] frames)
    {
        foreach (byte[] frame in frames)
        {
            port.TrySend(frame);
            while (engine.RunOnce() > 0)
            {
                // Until it has left, and what came of it.
            }
        }
    }

    /// <summary>An address beside the interface's own in its network; null where there is none.</summary>
    private static IpAddress? HostOf(InterfaceSpec entry)
    {
        UInt128 own = new(entry.Address.Address.High, entry.Address.Address.Low);
        IpAddress next = IpAddress.FromBits(entry.Address.Family, own + 1), before = IpAddress.FromBits(entry.Address.Family, own - 1);
        return entry.Address.Contains(next) && next != entry.Address.Last ? next
            : entry.Address.Contains(before) && before != entry.Address.First ? before
            : null;
    }
}
