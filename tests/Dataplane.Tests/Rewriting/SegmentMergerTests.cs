using System.Buffers.Binary;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Rewriting;
using Dataplane.Tests.Reference;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Rewriting;

/// <summary>Segments joined, and what must not be.</summary>
public sealed class SegmentMergerTests
{
    private const int Ack = 0x10, Psh = 0x08, Fin = 0x01, Ece = 0x40, Cwr = 0x80, Syn = 0x02, Rst = 0x04, Urg = 0x20;
    private readonly SegmentMerger _merger = new();
    private readonly PacketBatch _source = new(), _target = new();
    private readonly short[] _sources = new short[PacketBatch.Capacity];
    private readonly byte[] _memory = new byte[1 << 20];

    public SegmentMergerTests() => _merger.Prepare();

    // Whatever is joined must come apart again as it was: cut by the code that stands in for a network card, whose own tests are others.
    [Fact]
    public void Join_SegmentsOfSeveralFlowsMixedWithOthers_CutAgainAreTheSameInTheSameOrderOfEachFlow()
    {
        int joinedInAll = 0;
        Prop.ForAll(Bursts().ToArbitrary(), frames =>
        {
            IReadOnlyList<Joined> results = Run(frames, out int joined);
            joinedInAll += joined;
            List<byte[]> cut = [.. results.SelectMany(Cut)];
            Assert.Equal(frames.Length, cut.Count);
            Assert.Equal(frames.Length - joined, results.Count);
            foreach (IGrouping<string, byte[]> flow in frames.GroupBy(FlowOf))
            {
                Assert.Equal(flow.Select(Convert.ToHexString), cut.Where(frame => FlowOf(frame) == flow.Key).Select(Convert.ToHexString));
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(400));
        Assert.True(joinedInAll > 4000, $"{joinedInAll} joined");
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public void Join_SegmentsOfOneFlow_AreOneSuperFrame(int family)
    {
        byte[][] frames = [.. Enumerable.Range(0, 45).Select(k => Segment(family, sequence: (uint)(k * 1000), identification: k, payload: k == 44 ? 300 : 1000, flags: k == 44 ? Ack | Psh : Ack))];
        Joined whole = Assert.Single(Run(frames, out int joined));
        Assert.Equal((44, 1000, family == 4 ? Unfinished.TcpV4 : Unfinished.TcpV6), (joined, whole.Offload!.Value.SegmentBytes, whole.Offload.Value.Kind));
        ReferencePacket packet = ReferenceDecoder.Decode(whole.Frame);
        Assert.Equal(frames.SelectMany(frame => ReferenceDecoder.Decode(frame).Payload.ToArray()), packet.Payload.ToArray());
        Assert.Equal(Ack | Psh, whole.Frame[packet.TransportOffset + 13]);
        Assert.Equal(Unfinished.PseudoHeader(whole.Frame), BinaryPrimitives.ReadUInt16BigEndian(whole.Frame.AsSpan(packet.TransportOffset + 16)));
        Assert.Equal(packet.TransportOffset + 32 - 14, whole.Offload.Value.HeaderBytes);
    }

    // Each against a segment that would have been joined: one thing different.
    [Theory]
    [InlineData("sequence")]
    [InlineData("identification")]
    [InlineData("acknowledgement")]
    [InlineData("window")]
    [InlineData("ttl")]
    [InlineData("tos")]
    [InlineData("option")]
    [InlineData("option length")]
    [InlineData("port")]
    [InlineData("address")]
    [InlineData("mac")]
    [InlineData("longer")]
    [InlineData("empty")]
    [InlineData("padded")]
    [InlineData("damaged")]
    [InlineData("urgent pointer")]
    [InlineData("syn")]
    [InlineData("rst")]
    [InlineData("urg")]
    [InlineData("ece")]
    [InlineData("cwr")]
    [InlineData("no ack")]
    [InlineData("source")]
    [InlineData("unfinished")]
    public void Join_OneThingDifferent_StaysAlone(string what)
    {
        foreach (int family in what == "identification" ? (int[])[4] : [4, 6])
        {
            byte[] first = Segment(family), second = Segment(family, sequence: 1000, identification: 1), other = Other(what, family);
            Run([first, second], out int joined);
            Assert.Equal(1, joined);
            IReadOnlyList<Joined> alone = Run([first, other], out joined, sources: what == "source" ? [0, 1] : null, unfinished: what == "unfinished" ? 1 : -1);
            Assert.Equal(0, joined);
            Assert.Equal([Convert.ToHexString(first), Convert.ToHexString(other)], alone.Select(result => Convert.ToHexString(result.Frame)));
        }
    }

    [Theory]
    [InlineData(Psh)]
    [InlineData(Fin)]
    public void Join_BehindTheEndOfData_BeginsAnew(int end)
    {
        byte[][] frames = [Segment(4), Segment(4, sequence: 1000, identification: 1, flags: Ack | end), Segment(4, sequence: 2000, identification: 2), Segment(4, sequence: 3000, identification: 3)];
        Assert.Equal([2066, 2066], Run(frames, out _).Select(result => result.Frame.Length));
        Assert.Equal(3, Run([Segment(4, flags: Ack | end), .. frames[1..]], out _).Count);
    }

    [Fact]
    public void Join_BehindAShorterOne_BeginsAnew()
    {
        byte[][] frames = [Segment(6), Segment(6, sequence: 1000, payload: 400), Segment(6, sequence: 1400, payload: 400)];
        Assert.Equal(2, Run(frames, out _).Count);
    }

    [Fact]
    public void Join_DamagedFirst_StaysAlone()
    {
        byte[] damaged = Segment(4);
        damaged[^1] ^= 1;
        Run([damaged, Segment(4, sequence: 1000, identification: 1), Segment(4, sequence: 2000, identification: 2)], out int joined);
        Assert.Equal(1, joined);
        byte[] header = Segment(4);
        header[24] ^= 1;
        Run([header, Segment(4, sequence: 1000, identification: 1)], out joined);
        Assert.Equal(0, joined);
    }

    // An acknowledgement between the segments of its flow keeps its place, one of another flow does not matter; a fragment may be of any.
    [Theory]
    [InlineData("own", 0)]
    [InlineData("other", 1)]
    [InlineData("udp", 1)]
    [InlineData("fragment", 0)]
    [InlineData("extension", 0)]
    public void Join_SomethingBetween_PassesNothingOfItsFlow(string between, int expected)
    {
        byte[] frame = between switch
        {
            "own" => Segment(4, sequence: 1000, payload: 0),
            "other" => Segment(4, sequence: 1000, payload: 0, port: 9),
            "udp" => PacketBuilder.Ethernet(new MacAddress(2), new MacAddress(1)).Ipv4("10.0.0.1", "10.0.0.2").Udp(1, 2).PayloadOf(10).Build(),
            "fragment" => Fragment(),
            _ => WithNextHeader(Segment(6), 0),
        };
        IReadOnlyList<Joined> results = Run([Segment(4), frame, Segment(4, sequence: 1000, identification: 1)], out int joined);
        Assert.Equal(expected, joined);
        Assert.Contains(Convert.ToHexString(frame), results.Select(result => Convert.ToHexString(result.Frame)));
    }

    [Fact]
    public void Join_MoreThan64Kilobytes_BeginsAnew()
    {
        byte[][] frames = [.. Enumerable.Range(0, 100).Select(k => Segment(6, sequence: (uint)(k * 1400), payload: 1400))];
        IReadOnlyList<Joined> results = Run(frames, out _);
        Assert.Equal(3, results.Count);
        Assert.All(results, result => Assert.InRange(result.Frame.Length, 1, 65535));
    }

    [Fact]
    public void TryAdd_MoreThanThereIsRoomFor_IsRefusedAndNothingIsLost()
    {
        _merger.Clear();
        int taken = 0;
        while (_merger.TryAdd(0, 65_000, 0))
        {
            taken++;
        }

        Assert.InRange(taken, 4, 8);
        _merger.Clear();
        for (taken = 0; _merger.TryAdd(0, 60, 0); taken++)
        {
        }

        Assert.Equal(SegmentMerger.Capacity, taken);
    }

    [Fact]
    public void JoinAndFill_AgainAndAgain_AllocatesNothing()
    {
        byte[][] frames = [.. Enumerable.Range(0, 60).Select(k => Segment(k % 2 == 0 ? 4 : 6, sequence: (uint)(k / 2 * 1000), identification: k / 2))];
        Run(frames, out _);
        Measure(1000);
        Assert.Equal(0, Measure(1000));

        long Measure(int times)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int k = 0; k < times; k++)
            {
                List(frames, null, -1);
                _merger.Join(_memory);
                _target.Clear(default, 0);
                _merger.Fill(_source, _target, _sources);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private IReadOnlyList<Joined> Run(byte[][] frames, out int joined, short[]? sources = null, int unfinished = -1)
    {
        List(frames, sources, unfinished);
        joined = _merger.Join(_memory);
        _target.Clear(default, 0);
        _merger.Fill(_source, _target, _sources);
        Assert.Equal(frames.Length - joined, _target.Count);
        return [.. Enumerable.Range(0, _target.Count).Select(i => new Joined(_target.Frame(i).ToArray(), (_target.Marks[i] & PacketMarks.Unfinished) != 0 ? _target.Offloads[i] : null,
            _target.Offloads[i].TransportAt - _target.Offsets[i]))];
    }

    private void List(byte[][] frames, short[]? sources, int unfinished)
    {
        _source.Clear(default, 0);
        _source.SetMemory(_memory);
        _merger.Clear();
        int at = 64;
        for (int i = 0; i < frames.Length; i++)
        {
            frames[i].CopyTo(_memory, at);
            PacketOffload? offload = i == unfinished ? new PacketOffload { TransportAt = at + 34, ChecksumOffset = 16 } : null;
            Assert.True(_merger.TryAdd(at, frames[i].Length, sources?[i] ?? 0, offload));
            at += frames[i].Length + 7;
        }
    }

    private static IEnumerable<byte[]> Cut(Joined joined)
    {
        if (joined.Offload is not { } offload)
        {
            return [joined.Frame];
        }

        Assert.Equal(ReferenceDecoder.Decode(joined.Frame).TransportOffset, joined.TransportOffset);
        SuperFrame whole = default;
        Assert.True(whole.TryOpen(joined.Frame, offload.Kind, offload.SegmentBytes));
        var segments = new List<byte[]>();
        while (whole.IsPending)
        {
            byte[] room = new byte[whole.LongestSegmentBytes];
            segments.Add(room[..whole.WriteNext(joined.Frame, room)]);
        }

        return segments;
    }

    private static string FlowOf(byte[] frame)
    {
        ReferencePacket packet = ReferenceDecoder.Decode(frame);
        return packet.Protocol == 6 ? Convert.ToHexString(frame.AsSpan(packet.NetworkOffset + (packet.IpVersion == 4 ? 12 : 8), packet.IpVersion == 4 ? 12 : 36)) : "";
    }

    private static Gen<byte[][]> Bursts() =>
        from flows in Gen.Choose(1, 20)
        from size in Gen.Elements(1, 100, 536, 1000, 1400)
        from events in Gen.Choose(0, 199).ArrayOf(60)
        from choices in Gen.Choose(0, 10_000).ArrayOf(60)
        select Burst(flows, size, events, choices);

    /// <summary>Segments as senders make them, now and then with something odd.</summary>
    private static byte[][] Burst(int flows, int size, int[] events, int[] choices)
    {
        var frames = new List<byte[]>();
        uint[] sequences = new uint[flows];
        int[] identifications = new int[flows];
        Array.Fill(sequences, uint.MaxValue - 3000);
        for (int k = 0; k < events.Length; k++)
        {
            int flow = choices[k] % 3 == 0 ? choices[k] % flows : k / 8 % flows, family = flow % 2 == 0 ? 4 : 6;
            int payload = events[k] switch { < 8 => 1 + (choices[k] % size), 8 => 0, 9 => size + 3, _ => size };
            int flags = events[k] switch { 10 or 11 => Ack | Psh, 12 => Ack | Fin, 13 => Syn, 14 => Ack | Ece, 15 => Ack | Cwr, _ => Ack };
            uint sequence = sequences[flow] + (events[k] == 16 ? 5u : 0);
            byte[] frame = Segment(family, sequence, identifications[flow], payload, flags, port: (ushort)(1000 + flow), window: events[k] == 17 ? (ushort)9 : (ushort)500, ttl: events[k] == 18 ? 9 : 64);
            if (events[k] == 19)
            {
                frame[^1] ^= 0x55;
            }

            frames.Add(frame);
            sequences[flow] = sequence + (uint)payload;
            identifications[flow] = (identifications[flow] + (events[k] == 20 ? 3 : 1)) & 0xFFFF;
        }

        return [.. frames];
    }

    private static byte[] Other(string what, int family)
    {
        byte[] frame = what switch
        {
            "sequence" => Segment(family, sequence: 1001, identification: 1),
            "identification" => Segment(family, sequence: 1000, identification: 2),
            "acknowledgement" => Segment(family, sequence: 1000, identification: 1, acknowledgement: 78),
            "window" => Segment(family, sequence: 1000, identification: 1, window: 501),
            "ttl" => Segment(family, sequence: 1000, identification: 1, ttl: 63),
            "tos" => Segment(family, sequence: 1000, identification: 1, tos: 1),
            "option" => Segment(family, sequence: 1000, identification: 1, stamp: 6),
            "option length" => Segment(family, sequence: 1000, identification: 1, stamp: -1),
            "port" => Segment(family, sequence: 1000, identification: 1, port: 1001),
            "address" => Segment(family, sequence: 1000, identification: 1, host: 3),
            "longer" => Segment(family, sequence: 1000, identification: 1, payload: 1001),
            "empty" => Segment(family, sequence: 1000, identification: 1, payload: 0),
            "syn" => Segment(family, sequence: 1000, identification: 1, flags: Ack | Syn),
            "rst" => Segment(family, sequence: 1000, identification: 1, flags: Ack | Rst),
            "urg" => Segment(family, sequence: 1000, identification: 1, flags: Ack | Urg),
            "ece" => Segment(family, sequence: 1000, identification: 1, flags: Ack | Ece),
            "cwr" => Segment(family, sequence: 1000, identification: 1, flags: Ack | Cwr),
            "no ack" => Segment(family, sequence: 1000, identification: 1, flags: Psh),
            "urgent pointer" => Segment(family, sequence: 1000, identification: 1, urgent: 7),
            _ => Segment(family, sequence: 1000, identification: 1),
        };
        switch (what)
        {
            case "mac":
                frame[11] ^= 1;
                break;
            case "padded":
                return [.. frame, 0];
            case "damaged":
                frame[^5] ^= 4;
                break;
        }

        return frame;
    }

    /// <summary>A frame with a timestamp option, so that there are options to differ in.</summary>
    private static byte[] Segment(int family, uint sequence = 0, int identification = 0, int payload = 1000, int flags = Ack, ushort port = 1000, uint acknowledgement = 77, ushort window = 500,
        int ttl = 64, int tos = 0, int stamp = 5, int host = 2, int urgent = 0)
    {
        int network = family == 4 ? 20 : 40, options = stamp < 0 ? 16 : 12, length = 14 + network + 20 + options + payload;
        byte[] frame = new byte[length];
        byte[] link = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, (byte)(family == 4 ? 8 : 0x86), (byte)(family == 4 ? 0 : 0xDD)];
        link.CopyTo(frame, 0);
        Span<byte> ip = frame.AsSpan(14), tcp = ip[network..];
        if (family == 4)
        {
            byte[] header = [0x45, (byte)tos, (byte)((length - 14) >> 8), (byte)(length - 14), (byte)(identification >> 8), (byte)identification, 0x40, 0, (byte)ttl, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, (byte)host];
            header.CopyTo(ip);
            WriteSum(ip[10..], ip[..20], 0);
        }
        else
        {
            byte[] header = [0x60, (byte)(tos << 4), 0, 0, (byte)((length - 54) >> 8), (byte)(length - 54), 6, (byte)ttl, 0xfd];
            header.CopyTo(ip);
            (ip[23], ip[24], ip[39]) = (1, 0xfd, (byte)host);
        }

        BinaryPrimitives.WriteUInt16BigEndian(tcp, port);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[2..], 80);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], sequence);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[8..], acknowledgement);
        (tcp[12], tcp[13]) = ((byte)((20 + options) << 2), (byte)flags);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[14..], window);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[18..], (ushort)urgent);
        byte[] option = [1, 1, 8, 10, 0, 0, 0, (byte)Math.Max(stamp, 5), 0, 0, 0, 1, 1, 1, 1, 1];
        option.AsSpan(0, options).CopyTo(tcp[20..]);
        for (int i = 20 + options; i < tcp.Length; i++)
        {
            tcp[i] = (byte)(i + sequence);
        }

        WriteSum(tcp[16..], tcp, SumOf(family == 4 ? ip.Slice(12, 8) : ip.Slice(8, 32)) + 6 + tcp.Length);
        return frame;
    }

    private static byte[] Fragment()
    {
        byte[] frame = Segment(4, port: 9);
        frame[20] = 0x20;
        return frame;
    }

    private static byte[] WithNextHeader(byte[] frame, byte next)
    {
        frame[20] = next;
        return frame;
    }

    private static long SumOf(ReadOnlySpan<byte> bytes)
    {
        long sum = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            sum += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
        }

        return sum;
    }

    private static void WriteSum(Span<byte> field, ReadOnlySpan<byte> covered, long sum)
    {
        sum += SumOf(covered);
        while (sum > 0xFFFF)
        {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        BinaryPrimitives.WriteUInt16BigEndian(field, (ushort)~sum);
    }

    private sealed record Joined(byte[] Frame, PacketOffload? Offload, int TransportOffset);
}
