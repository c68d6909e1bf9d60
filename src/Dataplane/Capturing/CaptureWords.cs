using System.Globalization;
using System.Text;
using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Capturing;

/// <summary>Says in words what a record says in numbers. The reader's side: it allocates.</summary>
internal static class CaptureWords
{
    /// <summary>The name of a port by the tables; empty for none.</summary>
    public static string PortOf(in CaptureRecord record, ushort port) =>
        record.Tables is { } tables && port < tables.PortNames.Length ? tables.PortNames[port] : "";

    /// <summary>What became of a packet, and what decided.</summary>
    public static string Outcome(in CaptureRecord record)
    {
        var text = new StringBuilder();
        string came = PortOf(in record, record.InPort), leaves = PortOf(in record, record.OutPort);
        text.Append(record switch
        {
            { Direction: CaptureDirection.Sent } => Source(in record, came),
            { Verdict: Verdict.Drop } when CaptureFacts.IsConsumed(record.Reason) => $"used by the engine: {record.Reason.ToName()}",
            { Verdict: Verdict.Drop } => $"dropped: {record.Reason.ToName()}",
            { Verdict: Verdict.Hold } => $"held: {Waiting(record.Hold)}",
            { IsLocal: true } => $"answered by the engine, by {leaves}",
            _ => $"sent by {leaves}",
        });
        if (record.Direction == CaptureDirection.Dropped)
        {
            text.Append(CultureInfo.InvariantCulture, $"; {Source(in record, came)}");
        }

        AppendDeciders(text, in record);
        if (record.SegmentBytes > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"; super-frame, segments of {record.SegmentBytes} bytes");
        }

        return text.Append(record.IsUnfinished ? "; checksum not filled in" : "").ToString();
    }

    /// <summary>Who speaks to whom, in a few words.</summary>
    public static string Summary(ReadOnlySpan<byte> frame)
    {
        CaptureFacts facts = default;
        facts.Read(frame);
        if (facts.Key.Family == 0)
        {
            return string.Create(CultureInfo.InvariantCulture, $"ether type 0x{facts.EtherType:x4}");
        }

        string protocol = !facts.IsIp ? "ARP" : facts.Protocol switch
        {
            IpProtocols.Tcp => "TCP",
            IpProtocols.Udp => "UDP",
            IpProtocols.Icmp => "ICMP",
            IpProtocols.Icmpv6 => "ICMPv6",
            _ => string.Create(CultureInfo.InvariantCulture, $"protocol {facts.Protocol}"),
        };
        return $"{protocol} {At(facts.Key.Source, facts.Key.SourcePort, facts.HasPorts)} > {At(facts.Key.Destination, facts.Key.DestinationPort, facts.HasPorts)}";
    }

    private static string At(IpAddress address, ushort port, bool hasPorts) =>
        !hasPorts ? address.ToString() : string.Create(CultureInfo.InvariantCulture, $"{(address.IsIpv6 ? $"[{address}]" : address.ToString())}:{port}");

    private static string Waiting(HoldReason reason) => reason switch
    {
        HoldReason.Neighbour => "waits for the hardware address of its next hop",
        HoldReason.FirstFragment => "waits for the first fragment of its datagram",
        HoldReason.OtherWorker => "goes on at another worker",
        HoldReason.Decapsulated => "taken apart, the frame inside goes on",
        HoldReason.Encapsulated => "put into a packet of an overlay",
        HoldReason.Hairpin => "turned back inside",
        _ => "flooded, copies of it leave",
    };

    private static string Source(in CaptureRecord record, string port) => record.Origin switch
    {
        CaptureOrigin.Outer => "made by the engine around a frame of an overlay",
        CaptureOrigin.Relayed => $"received by another worker, on its way to {port}",
        CaptureOrigin.Released when record.IsLocal => "made by the engine, has waited",
        CaptureOrigin.Released => $"received on {port}, has waited",
        _ when record.IsLocal || port.Length == 0 => "made by the engine",
        CaptureOrigin.TakenOver => $"received on {port} by another worker",
        CaptureOrigin.Hairpin => $"received on {port}, turned back inside",
        CaptureOrigin.Flooded => $"received on {port}, flooded",
        _ => $"received on {port}",
    };

    private static void AppendDeciders(StringBuilder text, in CaptureRecord record)
    {
        if (record.Tables is not { } tables)
        {
            return;
        }

        bool isFiltered = record.Reason is DropReason.FilterRule or DropReason.FilterDefault;
        if (record.Rule >= 0 && record.Rule < tables.Filter.Counters.Count)
        {
            text.Append(CultureInfo.InvariantCulture, $"; rule {tables.Filter.NameOf(record.Rule)}");
        }
        else if (record.Rule == Filtering.FilterProgram.NoRule && (isFiltered || !tables.Filter.IsEmpty))
        {
            text.Append("; rule default");
        }

        if (record.HasFlow && FindBackend(tables, record.Backend) is { } found)
        {
            text.Append(CultureInfo.InvariantCulture, $"; service {found.Service} backend {found.Backend}");
        }

        if (record.NextHop >= 0 && record.NextHop < tables.NextHops.Length)
        {
            text.Append(CultureInfo.InvariantCulture, $"; next hop {tables.NextHops[record.NextHop]}");
        }
    }

    private static (string Service, BackendRuntime Backend)? FindBackend(ForwardingTables tables, int slot)
    {
        foreach (ServiceRuntime service in tables.Services.Services)
        {
            foreach (BackendRuntime backend in service.All)
            {
                if (backend.Slot == slot)
                {
                    return (service.Spec.Name, backend);
                }
            }
        }

        return null;
    }
}
