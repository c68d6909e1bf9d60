using System.Buffers.Binary;
using Dataplane.Bridging;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Bridging;

/// <summary>Ethernet frames, and an engine that is a bridge and nothing else.</summary>
internal static class Frames
{
    public const ulong Everybody = 0xFFFF_FFFF_FFFF, Group = 0x0100_5E00_0001;

    public static readonly string[] PortNames = ["a", "b", "c", "d"];

    /// <summary>The hardware address of a host.</summary>
    public static ulong Host(int number) => 0x0200_0000_0000UL + (ulong)number;

    /// <summary>A frame of 60 bytes or more; the number makes it different from others.</summary>
    public static byte[] Of(ulong target, ulong source, int vlan = -1, int number = 0, int bytes = 60)
    {
        byte[] frame = new byte[bytes];
        BinaryPrimitives.WriteUInt64BigEndian(frame, (target << 16) | (source >> 32));
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(8), (uint)source);
        int at = 12;
        if (vlan >= 0)
        {
            BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(at), 0x8100_0000u | (uint)vlan);
            at += 4;
        }

        // A local experimental EtherType (IEEE 802): nothing the engine knows.
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(at), 0x88B5);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(at + 2), number);
        return frame;
    }

    public static TestPlane Create(Func<BridgeSpec, BridgeSpec>? change = null, int ports = 4) => TestPlane.Create(PortNames[..ports], builder => builder.Bridge((change ?? (spec => spec))(new BridgeSpec
    {
        Name = "lan",
        Ports = [.. PortNames[..ports].Select(port => new BridgePortSpec { Port = port })],
        Ageing = TimeSpan.FromSeconds(10),
    })));

    /// <summary>The ports by which a frame left, as it came, in alphabetical order.</summary>
    public static string Leaves(this TestPlane plane, string port, byte[] frame)
    {
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send(port, frame);
        Assert.All(sent, each => Assert.Equal(Convert.ToHexString(frame), Convert.ToHexString(each.Frame)));
        return string.Join(' ', sent.Select(each => each.Port).Order(StringComparer.Ordinal));
    }
}
