using Dataplane.Ports;

namespace Dataplane.Bridging;

/// <summary>A learning bridge in force. Immutable but for the table of addresses.</summary>
internal sealed class LearningBridge
{
    /// <param name="spec">The bridge.</param>
    /// <param name="ports">The open ports.</param>
    /// <param name="before">The bridge of the name in the tables before; null: it is new.</param>
    /// <param name="nowNs">Worker time.</param>
    public LearningBridge(BridgeSpec spec, PortSet ports, LearningBridge? before, long nowNs)
    {
        Spec = spec;
        Ports = [.. spec.Ports.Select((port, index) => Make(port, index, ports, before))];
        foreach (BridgePort port in Ports)
        {
            port.Others = [.. Ports.Where(port.Reaches)];
        }

        if (before is not null && before.HasTableOf(this))
        {
            Table = before.Table;
            return;
        }

        Table = new MacTable(spec.Entries, Ports.Length, (int)spec.Ageing.TotalSeconds);
        if (before is not null)
        {
            int[] places = [.. before.Ports.Select(port => Array.FindIndex(Ports, mine => mine.Id == port.Id && mine.Spec.Port == port.Spec.Port))];
            Table.TakeOver(before.Table, places, [.. Ports.Select(port => port.Limit)], nowNs);
        }
    }

    public BridgeSpec Spec { get; }

    public BridgePort[] Ports { get; }

    /// <summary>Who was seen where; shared by all workers.</summary>
    public MacTable Table { get; }

    private BridgePort Make(BridgePortSpec spec, int index, PortSet ports, LearningBridge? before)
    {
        int id = ports.IdOf(spec.Port);
        BridgePort? same = Array.Find(before?.Ports ?? [], port => port.Id == id && port.Spec.Port == spec.Port);
        return new BridgePort(spec, this, index, (ushort)id, ports.ById[id]!.Mtu, same);
    }

    /// <summary>Whether the table of this bridge does for another: the same ports in the same places, the same size and time.</summary>
    private bool HasTableOf(LearningBridge other) => Spec.Entries == other.Spec.Entries && Spec.Ageing == other.Spec.Ageing
        && Ports.Select(port => (port.Id, port.Spec.Port)).SequenceEqual(other.Ports.Select(port => (port.Id, port.Spec.Port)));
}
