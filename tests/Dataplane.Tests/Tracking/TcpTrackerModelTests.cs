using Dataplane.Packets;
using Dataplane.Tracking;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Tracking;

/// <summary>Any segments in any order, near every bound, against <see cref="TcpOracle"/>; and what ends really do, against nothing but that it passes.</summary>
public sealed class TcpTrackerModelTests
{
    /// <summary>Numbers are chosen around those that decide: what was sent, what is offered, what was acknowledged.</summary>
    [Theory]
    [InlineData(0u, 0u)]
    [InlineData(uint.MaxValue - 40_000, 7u)]
    [InlineData(0x7FFF_FF00u, 0x8000_0100u)]
    public void AnySegments_PassExactlyWhenTheOracleLetsThem(uint clientIsn, uint serverIsn)
    {
        Gen<(bool FromClient, int Base, int Off, int Bytes, int AckBase, int AckOff, int Window, bool Fin)[]> segments =
            (from fromClient in Gen.Elements(true, false)
             from place in Gen.Choose(0, 3)
             from off in Gen.Elements(-1, 0, 1, 500, -500)
             from bytes in Gen.Elements(0, 0, 1, 500, 1000, 1001)
             from ackPlace in Gen.Choose(0, 2)
             from ackOff in Gen.Elements(0, 0, 0, 1, -1, -500)
             from window in Gen.Elements(0, 1, 500, 1000, 2000)
             from fin in Gen.Frequency((12, Gen.Constant(false)), (1, Gen.Constant(true)))
             select (fromClient, place, off, bytes, ackPlace, ackOff, window, fin)).ListOf(60).Select(list => list.ToArray());
        int passed = 0, refused = 0;
        Prop.ForAll(segments.ToArbitrary(), list => Play(clientIsn, serverIsn, list, ref passed, ref refused)).Check(Config.QuickThrowOnFailure.WithMaxTest(150));
        Assert.True(passed > 500 && refused > 500, $"{passed} passed, {refused} refused: one of both was hardly tried");
    }

    /// <summary>Two ends that keep to the windows, over a line that loses, repeats and reorders: whatever of it comes to the middle passes, but for what has been
    /// acknowledged there already and is of use to nobody.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void EndsThatKeepToTheRules_OverABadLine_AreNeverRefused(int seed)
    {
        var random = new Random(seed);
        for (int run = 0; run < 200; run++)
        {
            byte scale = (byte)random.Next(0, 8);
            var line = new BadLine(random, (uint)random.NextInt64(uint.MaxValue), (uint)random.NextInt64(uint.MaxValue), scale);
            Assert.Null(line.Run(400));
        }
    }

    private static void Play(uint clientIsn, uint serverIsn, (bool FromClient, int Base, int Off, int Bytes, int AckBase, int AckOff, int Window, bool Fin)[] list,
        ref int passed, ref int refused)
    {
        var oracle = new TcpOracle(clientIsn, serverIsn);
        Connection connection = default;
        Open(ref connection, clientIsn, serverIsn);
        oracle.Open(1000, 1000);
        long[] sent = [1, 1], offered = [1001, 1001], acknowledged = [1, 1];
        foreach (var entry in list)
        {
            int own = entry.FromClient ? 0 : 1, other = 1 - own;
            long from = entry.Base switch { 0 => sent[own], 1 => offered[own] - entry.Bytes, 2 => acknowledged[other], _ => sent[own] - 1000 };
            long sequence = Math.Max(from + entry.Off, 1), acknowledgment = Math.Max((entry.AckBase switch { 0 => sent[other], 1 => acknowledged[own], _ => sent[other] - 66_000 }) + entry.AckOff, 1);
            var segment = new TcpOracle.Segment(entry.FromClient, sequence, entry.Bytes, acknowledgment, entry.Window, entry.Fin);
            TcpSegment read = Read(oracle, segment);
            StateReason judged = TcpTracker.Judge(in connection, entry.FromClient, in read);
            bool allowed = oracle.Allows(segment);
            Assert.True(allowed == !StateReasons.IsInvalid(judged), $"{segment} is {judged}, and the oracle says {allowed}");
            if (!allowed)
            {
                refused++;
                continue;
            }

            passed++;
            TcpTracker.Follow(ref connection, entry.FromClient, in read, judged);
            oracle.Pass(segment);
            sent[own] = Math.Max(sent[own], sequence + entry.Bytes + (entry.Fin ? 1 : 0));
            acknowledged[own] = Math.Max(acknowledged[own], acknowledgment);
            offered[other] = Math.Max(offered[other], acknowledgment + Math.Max(entry.Window, 1));
        }
    }

    private static void Open(ref Connection connection, uint clientIsn, uint serverIsn)
    {
        var syn = new TcpSegment { Sequence = clientIsn, End = clientIsn + 1, Window = 1000, Flags = (byte)TcpFlags.Syn };
        var answer = new TcpSegment { Sequence = serverIsn, End = serverIsn + 1, Acknowledgment = clientIsn + 1, Window = 1000, Flags = (byte)(TcpFlags.Syn | TcpFlags.Ack) };
        var third = new TcpSegment { Sequence = clientIsn + 1, End = clientIsn + 1, Acknowledgment = serverIsn + 1, Window = 1000, Flags = (byte)TcpFlags.Ack };
        TcpTracker.Begin(ref connection, in syn);
        TcpTracker.Follow(ref connection, false, in answer, TcpTracker.Judge(in connection, false, in answer));
        TcpTracker.Follow(ref connection, true, in third, TcpTracker.Judge(in connection, true, in third));
        Assert.Equal(TcpPhase.Established, connection.Phase);
    }

    private static TcpSegment Read(TcpOracle oracle, TcpOracle.Segment segment) => new()
    {
        Sequence = oracle.OnWire(segment.FromClient, segment.Sequence),
        End = oracle.OnWire(segment.FromClient, segment.Sequence + segment.Bytes + (segment.IsFin ? 1 : 0)),
        Acknowledgment = oracle.OnWire(!segment.FromClient, segment.Acknowledgment),
        Window = (ushort)segment.Window,
        Flags = (byte)(segment.IsFin ? TcpFlags.Ack | TcpFlags.Fin : TcpFlags.Ack),
    };

    /// <summary>Two ends with a line between each and the tracker: they send within the window they know, and again what was not acknowledged.</summary>
    private sealed class BadLine(Random random, uint clientIsn, uint serverIsn, byte scale)
    {
        private readonly long[] _next = [1, 1], _acknowledged = [1, 1], _received = [1, 1], _limit = [1001, 1001], _seenAcknowledged = [1, 1];
        private readonly List<(bool FromClient, long Sequence, int Bytes, long Acknowledgment, int Window)> _before = [], _behind = [];

        public string? Run(int steps)
        {
            Connection connection = default;
            var syn = new TcpSegment { Sequence = clientIsn, End = clientIsn + 1, Window = 1000, Flags = (byte)TcpFlags.Syn, HasScale = true, Scale = scale };
            var answer = new TcpSegment
            {
                Sequence = serverIsn,
                End = serverIsn + 1,
                Acknowledgment = clientIsn + 1,
                Window = 1000,
                Flags = (byte)(TcpFlags.Syn | TcpFlags.Ack),
                HasScale = true,
                Scale = scale,
            };
            TcpTracker.Begin(ref connection, in syn);
            TcpTracker.Follow(ref connection, false, in answer, StateReason.Answered);
            var third = new TcpSegment { Sequence = clientIsn + 1, End = clientIsn + 1, Acknowledgment = serverIsn + 1, Window = (ushort)(1000 >> scale), Flags = (byte)TcpFlags.Ack };
            TcpTracker.Follow(ref connection, true, in third, StateReason.Answered);
            for (int step = 0; step < steps; step++)
            {
                Send(random.Next(2));
                if (TakeOne(_before) is { } passing)
                {
                    TcpSegment segment = OnWire(passing);
                    StateReason judged = TcpTracker.Judge(in connection, passing.FromClient, in segment);
                    int sender = passing.FromClient ? 0 : 1;
                    if (judged == StateReason.BelowWindow && passing.Sequence + passing.Bytes <= _seenAcknowledged[1 - sender])
                    {
                        continue;
                    }

                    if (StateReasons.IsInvalid(judged))
                    {
                        return $"step {step}: {passing} is {judged}";
                    }

                    _seenAcknowledged[sender] = Math.Max(_seenAcknowledged[sender], passing.Acknowledgment);

                    TcpTracker.Follow(ref connection, passing.FromClient, in segment, judged);
                    _behind.Add(passing);
                }

                if (TakeOne(_behind) is { } arriving)
                {
                    Receive(arriving);
                }
            }

            return null;
        }

        /// <summary>New data within the window, or from the first that is not acknowledged, or nothing but an acknowledgment.</summary>
        private void Send(int own)
        {
            long from = random.Next(3) == 0 ? _acknowledged[own] : _next[own];
            int room = (int)Math.Max(0, _limit[own] - from), bytes = Math.Min(random.Next(600), room);
            if (from < _next[own])
            {
                bytes = (int)Math.Min(bytes, _next[own] - from);
            }

            _next[own] = Math.Max(_next[own], from + bytes);
            int window = Math.Max(1, random.Next(200, 4000) >> scale);
            _before.Add((own == 0, from, bytes, _received[own], window));
        }

        private void Receive((bool FromClient, long Sequence, int Bytes, long Acknowledgment, int Window) segment)
        {
            int own = segment.FromClient ? 1 : 0;
            _received[own] = segment.Sequence <= _received[own] ? Math.Max(_received[own], segment.Sequence + segment.Bytes) : _received[own];
            _acknowledged[own] = Math.Max(_acknowledged[own], segment.Acknowledgment);
            _limit[own] = Math.Max(_limit[own], segment.Acknowledgment + ((long)segment.Window << scale));
        }

        /// <summary>One of the few oldest: it may be lost, or come again.</summary>
        private (bool FromClient, long Sequence, int Bytes, long Acknowledgment, int Window)? TakeOne(
            List<(bool FromClient, long Sequence, int Bytes, long Acknowledgment, int Window)> line)
        {
            if (line.Count < 3)
            {
                return null;
            }

            int at = random.Next(Math.Min(4, line.Count));
            var taken = line[at];
            if (random.Next(10) != 0)
            {
                line.RemoveAt(at);
            }

            return random.Next(10) == 0 ? null : taken;
        }

        private TcpSegment OnWire((bool FromClient, long Sequence, int Bytes, long Acknowledgment, int Window) segment)
        {
            (uint own, uint other) = segment.FromClient ? (clientIsn, serverIsn) : (serverIsn, clientIsn);
            uint sequence = unchecked(own + (uint)segment.Sequence);
            return new TcpSegment
            {
                Sequence = sequence,
                End = unchecked(sequence + (uint)segment.Bytes),
                Acknowledgment = unchecked(other + (uint)segment.Acknowledgment),
                Window = (ushort)segment.Window,
                Flags = (byte)TcpFlags.Ack,
            };
        }
    }
}
