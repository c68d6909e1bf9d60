using System.Buffers.Binary;
using System.Diagnostics;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Conformance;

namespace Dataplane.SystemTests.Conformance;

/// <summary>Plays cases through the kernel. Why it drops something it does not say: a case asks only that nothing comes out.</summary>
/// <remarks>Behind every packet goes an echo request to the kernel itself: its reply says that what came before has been decided.</remarks>
internal sealed class LinuxBed(Wire wire) : ICaseBed
{
    private const ushort Marker = 0xFFFE;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20), s_late = TimeSpan.FromMilliseconds(200);
    private ushort _turn;

    public IReadOnlyList<(string Port, byte[] Frame)> Exchange(string port, byte[] frame, int frames, DropReason reason, int drops)
    {
        var came = new List<(string Port, byte[] Frame)>();
        wire.Send(port, frame);
        var watch = Stopwatch.StartNew();
        while (came.Count < frames && watch.Elapsed < s_late)
        {
            Thread.Yield();
            Take(came);
        }

        if (frames == 0 || came.Count != frames)
            SettleBoth(port, came);
        return came;
    }

    public void End()
    {
        var late = new List<(string Port, byte[] Frame)>();
        SettleBoth("wan", late);
        AssertSame([], late);
    }

    /// <summary>Waits until everything sent in by a port has been decided, and what it led to at the other end has come.</summary>
    private void SettleBoth(string port, List<(string Port, byte[] Frame)> came)
    {
        Settle(port, came);
        Settle(port == "wan" ? "lan" : "wan", came);
    }

    private void Settle(string port, List<(string Port, byte[] Frame)> came)
    {
        bool isWan = port == "wan";
        _turn++;
        wire.Send(port, (isWan ? PacketBuilder.Ethernet(ConformanceWorld.ClientMac, ConformanceWorld.WanMac).Ipv4("198.51.100.2", "198.51.100.1")
            : PacketBuilder.Ethernet(ConformanceWorld.ServerMac, ConformanceWorld.LanMac).Ipv4("10.1.0.13", "10.1.0.1")).EchoRequest(Marker, _turn).Build());
        var watch = Stopwatch.StartNew();
        while (!Take(came))
        {
            if (watch.Elapsed > s_patience)
                throw new InvalidOperationException("the kernel does not answer its own address");
            Thread.Yield();
        }
    }

    public void Wait(TimeSpan time) => throw new NotSupportedException("Time does not pass at a case's word in the kernel.");

    public void Update(Func<DataplaneSpec, DataplaneSpec> change) => throw new NotSupportedException("The kernel has its configuration from nft.");

    public void AssertSame(IReadOnlyList<(string Port, byte[] Frame)> expected, IReadOnlyList<(string Port, byte[] Frame)> actual) =>
        CaseFrames.AssertSame([.. expected.Select(Common)], [.. actual.Select(Common)]);

    /// <summary>Takes what has come; true when the answer to the last marker was among it.</summary>
    private bool Take(List<(string Port, byte[] Frame)> came)
    {
        var all = new List<(string Port, byte[] Frame)>();
        wire.Take(all);
        came.AddRange(all.Where(entry => !IsMarker(entry.Frame) && !IsOfTheLink(entry.Frame)));
        return all.Exists(entry => IsMarker(entry.Frame) && BinaryPrimitives.ReadUInt16BigEndian(entry.Frame.AsSpan(40)) == _turn);
    }

    private static bool IsMarker(byte[] frame) => frame.Length >= 42 && frame[12] == 8 && frame[23] == 1 && frame[34] == 0 && BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(38)) == Marker;

    /// <summary>What the kernel says to its link by itself: ARP, neighbour discovery, listener reports.</summary>
    private static bool IsOfTheLink(byte[] frame) => frame[12] == 8 ? frame[13] == 6 : (frame[20] == 0 && frame[38] == 0xFF) || (frame[20] == 58 && frame[54] is >= 130 and <= 143 and not 139 and not 140);

    /// <summary>Without what a sender may choose for packets of its own: identification and flags over IPv4, the flow label over IPv6.</summary>
    private static (string Port, byte[] Frame) Common((string Port, byte[] Frame) entry)
    {
        byte[] frame = [.. entry.Frame];
        bool isV4 = frame[12] == 8;
        IpAddress source = isV4 ? IpAddress.ReadV4(frame.AsSpan(26)) : IpAddress.ReadV6(frame.AsSpan(22));
        if (source.ToString() is not ("198.51.100.1" or "10.1.0.1" or "2001:db8:1::1" or "2001:db8:2::1") || frame[isV4 ? 22 : 21] != 64)
            return entry;
        if (isV4)
        {
            frame.AsSpan(18, 4).Clear();
            frame.AsSpan(24, 2).Clear();
        }
        else
        {
            frame[15] &= 0xF0;
            frame.AsSpan(16, 2).Clear();
        }

        return (entry.Port, frame);
    }
}
