using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;
using static Dataplane.Tests.Overlays.OverlayPlane;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Overlays;

/// <summary>Frames of every kind and length, whole and damaged.</summary>
[Collection(AllocationCollection.Name)]
public sealed class OverlayPropertyTests
{
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Frame_ThroughTwoEngines_ArrivesAsItWasSent(int underlay)
    {
        await using TestPlane near = Create(underlay);
        await using TestPlane far = Create(underlay);
        Gen<byte[]> frames =
            from family in Gen.Elements(4, 6)
            from kind in Gen.Choose(0, 3)
            from size in Gen.Choose(0, 1360)
            from port in Gen.Choose(1, 65535)
            select Kind(Leaving("a", "r", family), kind, (ushort)port).PayloadOf(size).Build();
        Prop.ForAll(frames.ToArbitrary(), inner =>
        {
            byte[] outer = near.SendForOne("a", inner, "wan");

            // On the other side it is r that is near and a that is far: the packet comes from host 7 to the engine, and the addresses change places.
            byte[] mirrored = Swap(inner);
            Same(mirrored, far.SendForOne("wan", Wrap(PeerMac(7), TestPlane.WanMac, Peer(7, underlay), Local(underlay), SourcePortOf(outer), 4789, BlueVni, Swap(outer[^inner.Length..])), "a"));
            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Anything_CutOffOrDamaged_IsAccountedFor(int underlay)
    {
        await using TestPlane plane = Create(underlay);
        byte[] inner = Coming("r", "a", 6).Tcp(1, 2).PayloadOf(64).Build(), leaving = Leaving("a", "r", 6).Tcp(1, 2).PayloadOf(64).Build();
        byte[] outer = From7(underlay, inner);
        Gen<(byte[] Frame, bool IsOuter)> frames =
            from isOuter in Gen.Elements(true, false)
            from length in Gen.Choose(0, isOuter ? outer.Length : leaving.Length)
            from damage in Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf(3)
            from places in Gen.Choose(0, outer.Length - 1).ArrayOf(3)
            from isWhole in Gen.Elements(true, false)
            select (Damage((isOuter ? outer : leaving)[..(isWhole ? ^0 : length)], places, damage), isOuter);

        // Whatever comes out: nothing throws, and every packet is found again, counted and captured (asserted by the plane with every run).
        plane.Capture();
        Prop.ForAll(frames.ToArbitrary(), sent => plane.Send(sent.IsOuter ? "wan" : "a", sent.Frame).Count >= 0).Check(Config.QuickThrowOnFailure.WithMaxTest(1500));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Worker_BothWays_AllocatesNothing(int underlay)
    {
        await using TestPlane plane = Create(underlay);
        byte[][] leaving =
        [
            Leaving("a", "r", 4).Udp(1, 2).Build(), Leaving("a", "r", 6).Tcp(1, 2).PayloadOf(900).Build(), Leaving("a", "r", 6).Udp(1, 2).PayloadOf(1450).Build(),
            PacketBuilder.Ethernet(MacOf("a"), Blue).Ip(AddressOf("a", 4), RemoteAddress("r", 4)).Udp(1, 2).Build(),
            PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.2", "10.89.0.112").Build(),
            Wrap(MacOf("a"), Blue, AddressOf("a", underlay), Peer(7, underlay), 50000, 4789, BlueVni, Coming("r", "b", 4).Udp(1, 2).Build()),
        ];
        byte[][] coming =
        [
            From7(underlay, Coming("r", "a", 4).Udp(1, 2).Build()), From7(underlay, Coming("r", "a", 6).Udp(1, 2).PayloadOf(900).Build(), withChecksum: true),
            From7(underlay, Coming("t", "c", 6).Udp(1, 2).Build(), RedVni), From7(underlay, Coming("r", "a", 4).Udp(1, 2).Build(), vni: 99),
            From7(underlay, PacketBuilder.Ethernet(RemoteMac("r"), MacAddress.Broadcast).ArpRequest("10.89.0.112", "10.89.0.2").Build()),
            From7(underlay, PacketBuilder.Ethernet(RemoteMac("r"), Blue).Ip(RemoteAddress("r", 4), AddressOf("wan", 4)).Udp(1, 2).Build()),
        ];
        byte[] buffer = new byte[2048];
        var meter = new AllocationMeter();
        long seen = 0;
        for (int round = -1000; round < 1500; round++)
        {
            foreach (byte[] frame in leaving)
            {
                plane["a"].TrySend(frame);
            }

            foreach (byte[] frame in coming)
            {
                plane["wan"].TrySend(frame);
            }

            meter.Open();
            while (plane.Engine.RunOnce() > 0)
            {
            }

            meter.Close(counts: round >= 0);
            foreach (string port in PortNames)
            {
                while (plane[port].TryReceive(buffer, out _))
                {
                    seen++;
                }
            }
        }

        meter.AssertNone();
        Assert.True(seen > 2500 * 8, $"{seen} frames came out");
        Assert.Equal(2500, plane.Engine.ReadAccounting().DroppedFor(DropReason.OverlayForged));
    }

    private static PacketBuilder Kind(PacketBuilder packet, int kind, ushort port) => kind switch
    {
        0 => packet.Tcp(port, 80),
        1 => packet.Udp(port, 53),
        2 => packet.EchoRequest(port, 1),
        _ => packet.Carrying(132),
    };

    /// <summary>The same frame with its ends exchanged, which leaves every checksum right.</summary>
    private static byte[] Swap(byte[] frame)
    {
        byte[] swapped = [.. frame[6..12], .. frame[..6], .. frame[12..]];
        (int at, int length) = frame[12] == 8 ? (26, 4) : (22, 16);
        frame.AsSpan(at, length).CopyTo(swapped.AsSpan(at + length));
        frame.AsSpan(at + length, length).CopyTo(swapped.AsSpan(at));
        return swapped;
    }

    private static byte[] Damage(byte[] frame, int[] places, byte[] values)
    {
        frame = [.. frame];
        for (int i = 0; i < places.Length; i++)
        {
            if (places[i] < frame.Length)
            {
                frame[places[i]] = values[i];
            }
        }

        return frame;
    }
}
