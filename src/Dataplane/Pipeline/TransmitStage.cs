using System.Runtime.InteropServices;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Rewriting;
using Dataplane.Switching;

namespace Dataplane.Pipeline;

/// <summary>Sorts the packets of a batch by the port they leave by, and hands each port its share in one call.</summary>
/// <remarks>Input: verdict transmit. Output: frames in the ports' rings. Drops: by the ports (ring full, link down, too long), and what no
/// stage decided. State: which ports have frames to be flushed. Cost: one pass over the verdicts, one interface call per port and batch,
/// one copy per packet.</remarks>
internal sealed class TransmitStage(WorkerCounters counters)
{
    private const int MaxPorts = Dataplane.Ports.PortId.MaxPorts;

    private static readonly short[] s_all = MakeAll();

    private readonly SoftwareOffload _offload = new(counters);
    private readonly short[] _allowed = new short[PacketBatch.Capacity];
    private readonly short[] _counts = new short[MaxPorts];
    private readonly short[] _packets = new short[PacketBatch.Capacity];
    private readonly ushort[] _used = new ushort[MaxPorts];
    private readonly bool[] _touched = new bool[MaxPorts];

    /// <summary>Networks in force, whose endpoints may have limits.</summary>
    public BridgeTable Bridges { get; set; } = BridgeTable.Empty;

    /// <summary>Hands the frames over. Afterwards every packet is transmitted, dropped or held.</summary>
    public void Process(PacketBatch batch, IPort?[] ports)
    {
        ReadOnlySpan<Verdict> verdicts = batch.Verdicts[..batch.Count];
        ReadOnlySpan<ushort> outPorts = batch.OutPorts[..batch.Count];
        if (!MemoryMarshal.AsBytes(verdicts).ContainsAnyExcept((byte)Verdict.Transmit) && !outPorts.ContainsAnyExcept(outPorts[0]))
        {
            // Every packet leaves by the same port: nothing to sort.
            Send(batch, outPorts[0] < ports.Length ? ports[outPorts[0]] : null, outPorts[0], s_all.AsSpan(0, batch.Count));
            return;
        }

        int used = CountByPort(batch);
        for (int u = 0; u < used; u++)
        {
            ushort port = _used[u];
            int count = 0;
            for (int i = 0; i < batch.Count; i++)
            {
                if (batch.Verdicts[i] == Verdict.Transmit && batch.OutPorts[i] == port)
                {
                    _packets[count++] = (short)i;
                }
            }

            _counts[port] = 0;
            Send(batch, port < ports.Length ? ports[port] : null, port, _packets.AsSpan(0, count));
        }
    }

    /// <summary>Makes what was handed over leave.</summary>
    public void Flush(IPort?[] ports)
    {
        for (int port = 0; port < ports.Length; port++)
        {
            if (_touched[port])
            {
                _touched[port] = false;
                ports[port]?.Flush();
                DropWithdrawn(ports[port], isEnd: false);
            }
        }
    }

    /// <summary>Drops what ports accepted and have not sent. Once forwarding has ended.</summary>
    public void DropUnsent(IPort?[] ports)
    {
        foreach (IPort? port in ports)
        {
            DropWithdrawn(port, isEnd: true);
        }

        counters.SettleWithdrawn();
    }

    private void DropWithdrawn(IPort? port, bool isEnd)
    {
        if (port is not null && port.TakeWithdrawn(isEnd, out DropReason reason) is var withdrawn and > 0)
        {
            counters.CountWithdrawn(withdrawn, reason);
        }
    }

    /// <summary>Notes which ports are used, and drops what is undecided.</summary>
    private int CountByPort(PacketBatch batch)
    {
        int used = 0;
        for (int i = 0; i < batch.Count; i++)
        {
            Verdict verdict = batch.Verdicts[i];
            if (verdict == Verdict.Transmit)
            {
                ushort port = batch.OutPorts[i];
                if (_counts[port]++ == 0)
                {
                    _used[used++] = port;
                }
            }
            else if (verdict is Verdict.Continue or Verdict.Forward)
            {
                batch.Drop(i, DropReason.Undecided);
            }
        }

        return used;
    }

    private static short[] MakeAll()
    {
        short[] all = new short[PacketBatch.Capacity];
        for (short i = 0; i < all.Length; i++)
        {
            all[i] = i;
        }

        return all;
    }

    private void Send(PacketBatch batch, IPort? port, ushort number, ReadOnlySpan<short> packets)
    {
        if (port is not null)
        {
            // The worker that owns the port counts and limits; what goes there by a ring is not its affair yet.
            if (Bridges.OfPort(number) is { } station && port is not RemotePort)
            {
                packets = StationReceive.Admit(batch, packets, station, _allowed);
            }

            if (batch.HasOffloads)
            {
                _offload.Transmit(batch, packets, port);
            }
            else
            {
                port.Transmit(batch, packets);
            }

            _touched[number] = true;
            return;
        }

        foreach (short packet in packets)
        {
            batch.Drop(packet, DropReason.LinkDown);
        }
    }
}
