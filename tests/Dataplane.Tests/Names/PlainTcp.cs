using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Names;

/// <summary>A slow and plain client of TCP: it sends what a test says, acknowledges what is next, and keeps the order of what it hears.</summary>
internal sealed class PlainTcp(TestPlane plane, bool isV4, ushort port = 4000, ushort window = 65535, ushort? most = 1460, string? from = null)
{
    internal sealed record Segment(uint Sequence, uint Acknowledged, TcpFlags Flags, int Window, byte[] Data, ushort? Most);

    private readonly string _client = from ?? (isV4 ? "198.51.100.2" : "2001:db8:1::2");
    private readonly string _server = isV4 ? "198.51.100.1" : "2001:db8:1::1";

    public uint Next { get; set; } = 0xFFFF_FFF0; // Numbers wrap at once.

    public uint Expected { get; set; }

    public List<byte> Heard { get; } = [];

    public bool HasServerEnded { get; private set; }

    public bool WasReset { get; private set; }

    public static byte[] Framed(params byte[][] messages) => [.. messages.SelectMany(message => (byte[])[(byte)(message.Length >> 8), (byte)message.Length, .. message])];

    public PlainTcp Connect()
    {
        Segment answer = Assert.Single(Send(TcpFlags.Syn, Next, []));
        Assert.Equal((TcpFlags.Syn | TcpFlags.Ack, Next + 1), (answer.Flags, answer.Acknowledged));
        (Next, Expected) = (Next + 1, answer.Sequence + 1);
        Assert.Empty(Send(TcpFlags.Ack, Next, []));
        return this;
    }

    /// <summary>Sends a segment and gives back what comes at once.</summary>
    public Segment[] Send(TcpFlags flags, uint sequence, byte[] data) => Read(plane.Send("wan", Frame(flags, sequence, Expected, data)));

    public byte[] Frame(TcpFlags flags, uint sequence, uint acknowledged, byte[] data)
    {
        PacketBuilder builder = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac);
        builder = isV4 ? builder.Ipv4(_client, _server) : builder.Ipv6(_client, _server);
        return builder.Tcp(new TcpFields
        {
            SourcePort = port,
            DestinationPort = 53,
            Flags = flags,
            SequenceNumber = sequence,
            AcknowledgmentNumber = acknowledged,
            Window = window,
            MaxSegmentSize = (flags & TcpFlags.Syn) != 0 ? most : null,
        }).Payload(data).Build();
    }

    /// <summary>Sends data, and acknowledges what comes until nothing more does.</summary>
    public void Say(byte[] data, TcpFlags flags = TcpFlags.Ack | TcpFlags.Psh)
    {
        Segment[] came = Send(flags, Next, data);
        Next += (uint)data.Length + ((flags & TcpFlags.Fin) != 0 ? 1u : 0);
        Hear(came);
    }

    /// <summary>Takes what is next of it, acknowledges that, and goes on.</summary>
    public void Hear(Segment[] came)
    {
        while (came.Length > 0)
        {
            bool isNew = false;
            foreach (Segment segment in came)
            {
                isNew |= Take(segment);
            }

            came = isNew && !WasReset ? Send(TcpFlags.Ack, Next, []) : [];
        }
    }

    /// <returns>Whether it is to be acknowledged.</returns>
    public bool Take(Segment segment)
    {
        WasReset |= (segment.Flags & TcpFlags.Rst) != 0;
        if (segment.Data.Length == 0 && (segment.Flags & TcpFlags.Fin) == 0)
        {
            return false;
        }

        int known = (int)(Expected - segment.Sequence);
        if (known >= 0 && known <= segment.Data.Length && !HasServerEnded)
        {
            Heard.AddRange(segment.Data[known..]);
            Expected += (uint)(segment.Data.Length - known);
            if ((segment.Flags & TcpFlags.Fin) != 0)
            {
                HasServerEnded = true;
                Expected++;
            }
        }

        return true;
    }

    public Segment[] Wait(double seconds) => Read(plane.Wait(TimeSpan.FromSeconds(seconds)));

    /// <summary>The whole messages that were heard.</summary>
    public List<PlainDns> Messages()
    {
        var messages = new List<PlainDns>();
        for (int at = 0; at + 2 <= Heard.Count;)
        {
            int length = (Heard[at] << 8) | Heard[at + 1];
            if (at + 2 + length > Heard.Count)
            {
                break;
            }

            messages.Add(PlainDns.Read([.. Heard.Skip(at + 2).Take(length)]));
            at += 2 + length;
        }

        return messages;
    }

    private Segment[] Read(IReadOnlyList<(string Port, byte[] Frame)> frames) => [.. frames.Where(sent => IsOurs(sent.Frame)).Select(sent => Read(sent.Frame))];

    private bool IsOurs(byte[] frame) => BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(14 + (isV4 ? 20 : 40) + 2)) == port
        && (isV4 ? IpAddress.ReadV4(frame.AsSpan(30)) : IpAddress.ReadV6(frame.AsSpan(38))).ToString() == _client;

    private Segment Read(byte[] frame)
    {
        int tcp = 14 + (isV4 ? 20 : 40);
        Assert.Equal(_server, isV4 ? IpAddress.ReadV4(frame.AsSpan(26)).ToString() : IpAddress.ReadV6(frame.AsSpan(22)).ToString());
        int end = 14 + (isV4 ? BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(16)) : 40 + BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(18)));
        Assert.Equal(ChecksumStatus.Valid, InternetChecksum.VerifyTransport(frame.AsSpan(14, end - 14)));
        Assert.True(TcpView.TryParse(frame.AsSpan(tcp, end - tcp), out TcpView view) && view.TryGetFields(out TcpFields fields));
        Assert.Equal(53, view.SourcePort);
        view.TryGetFields(out fields);
        return new Segment(view.SequenceNumber, view.AcknowledgmentNumber, view.Flags, view.Window, view.Payload.ToArray(), fields.MaxSegmentSize);
    }
}
