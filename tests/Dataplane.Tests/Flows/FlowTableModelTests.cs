using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Flows;

/// <summary>The flow table against a dictionary, under random operations, full tables and colliding hashes.</summary>
public sealed class FlowTableModelTests
{
    private const int Flows = 48;
    private static readonly FlowHash s_hash = new(7);
    private static readonly FlowState[] s_states = [FlowState.Udp, FlowState.TcpEstablished, FlowState.TcpTransitory, FlowState.TcpClosing];

    [Fact]
    public void Operations_Any_AgreeWithTheModel() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ArrayOf(400).ToArbitrary(), operations =>
        {
            var model = new Model();
            foreach (int operation in operations)
            {
                model.Do(operation);
            }

            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));

    [Fact]
    public void Operations_Always_AllocateNothing()
    {
        var table = new FlowTable(64);
        int round = 0;
        Allocations.AssertNone(10_000, () =>
        {
            FlowEntry forward = Entry(round % Flows, forward: true), reverse = Entry(round % Flows, forward: false);
            int index = table.Find(in forward.Key, forward.Hash);
            if (index < 0)
            {
                table.InsertPair(in forward, in reverse, round * 1_000_000_000L);
            }
            else if (round % 3 == 0)
            {
                table.RetirePair(index);
                table.ReleaseRetired();
            }

            table.Sweep(3, round * 1_000_000_000L);
            round++;
        });
    }

    /// <summary>Every entry the table is made for finds a place, whatever their hashes, and is found again, one by one and all at once.</summary>
    [Theory]
    [InlineData(14)]
    [InlineData(111_410)]
    public void InsertPair_UntilFull_PlacesEveryEntry(int capacity)
    {
        var table = new FlowTable(capacity & -2);
        ParsedFrame[] keys = new ParsedFrame[table.Capacity];
        for (int i = 0; i < keys.Length; i += 2)
        {
            FlowEntry forward = RandomEntry(i), reverse = RandomEntry(i + 1);
            Assert.True(table.InsertPair(in forward, in reverse, 0) >= 0, $"no place at {i} of {keys.Length}");
            keys[i] = new ParsedFrame { Key = forward.Key, Hash = forward.Hash };
            keys[i + 1] = new ParsedFrame { Key = reverse.Key, Hash = reverse.Hash };
        }

        int[] found = new int[PacketBatch.Capacity];
        for (int i = 0; i < keys.Length; i += found.Length)
        {
            ReadOnlySpan<ParsedFrame> some = keys.AsSpan(i, Math.Min(found.Length, keys.Length - i));
            table.Find(some, found);
            for (int k = 0; k < some.Length; k++)
            {
                Assert.True(table[found[k]].Key.Equals(in some[k].Key));
                Assert.Equal(found[k], table.Find(in some[k].Key, some[k].Hash));
            }
        }

        ParsedFrame[] others = [.. Enumerable.Range(keys.Length, 200).Select(i => new ParsedFrame { Key = RandomEntry(i).Key, Hash = RandomEntry(i).Hash })];
        table.Find(others, found);
        Assert.All(found[..200], index => Assert.Equal(-1, index));
        for (int i = 0; i < keys.Length; i += 2)
        {
            table.RemovePair(table.Find(in keys[i].Key, keys[i].Hash));
        }

        Assert.Equal(0, table.Count);
        Assert.All(keys[..Math.Min(keys.Length, 1000)], key => Assert.Equal(-1, table.Find(in key.Key, key.Hash)));
    }

    /// <summary>Flows that packets of the batch in hand refer to keep their entries, however many others come.</summary>
    [Fact]
    public void InsertPair_FullTable_GivesUpNoFlowOfTheBatchInHand()
    {
        var table = new FlowTable(64);
        var batch = new PacketBatch();
        var indices = new List<int>();
        for (int flow = 0; flow < 32; flow++)
        {
            FlowEntry forward = RandomEntry(2 * flow), reverse = RandomEntry((2 * flow) + 1);
            indices.Add(table.InsertPair(in forward, in reverse, 0));
        }

        batch.Clear(default, 0);
        for (int i = 0; i < 8; i++)
        {
            batch.Add(0, 0);
            batch.Flows[i] = i % 2 == 0 ? indices[i * 3] : table[indices[i * 3]].Peer;
        }

        FlowKey[] held = [.. batch.Flows[..8].ToArray().Select(index => table[index].Key)];
        table.Begin(batch);
        for (int flow = 1000; flow < 3000; flow++)
        {
            FlowEntry forward = RandomEntry(2 * flow), reverse = RandomEntry((2 * flow) + 1);
            table.InsertPair(in forward, in reverse, 0);
        }

        Assert.InRange(table.Evicted, 1000, 2000);
        Assert.All(Enumerable.Range(0, 8), i => Assert.True(table[batch.Flows[i]].Key.Equals(in held[i])));
    }

    /// <summary>Half-open connections and datagrams nobody answers go first; what both sides have confirmed never goes.</summary>
    [Fact]
    public void InsertPair_FullTable_GivesUpWhatNobodyHasConfirmed()
    {
        var table = new FlowTable(256);
        for (int flow = 0; flow < 128; flow++)
        {
            FlowEntry forward = RandomEntry(2 * flow), reverse = RandomEntry((2 * flow) + 1);
            (forward.State, forward.Marks) = (flow % 4) switch
            {
                0 => (FlowState.TcpEstablished, FlowMarks.None),
                1 => (FlowState.TcpTransitory, FlowMarks.Answered),
                2 => (FlowState.Udp, FlowMarks.Answered | FlowMarks.Assured),
                _ => (FlowState.TcpClosing, FlowMarks.Answered),
            };
            (reverse.State, reverse.Marks) = (forward.State, forward.Marks);
            Assert.True(table.InsertPair(in forward, in reverse, 0) >= 0);
        }

        for (int flow = 1000; flow < 1020; flow++)
        {
            FlowEntry forward = RandomEntry(2 * flow), reverse = RandomEntry((2 * flow) + 1);
            forward.Marks = reverse.Marks = FlowMarks.Answered | FlowMarks.Assured;
            Assert.True(table.InsertPair(in forward, in reverse, 1_000_000_000) >= 0);
        }

        int[] left = [.. Enumerable.Range(0, 4).Select(kind => Enumerable.Range(0, 32).Count(number => IsThere(table, (4 * number) + kind)))];
        Assert.Equal((32, 32, 20L), (left[0], left[2], table.Evicted));
        Assert.Equal(44, left[1] + left[3]);
        Assert.True(left[1] < left[3], $"left of half-open: {left[1]}, of ended: {left[3]}");
    }

    private static bool IsThere(FlowTable table, int flow)
    {
        FlowEntry entry = RandomEntry(2 * flow);
        return table.Find(in entry.Key, entry.Hash) >= 0;
    }

    private static FlowEntry RandomEntry(int number)
    {
        FlowKey key = FlowKey.Create(IpAddress.FromV6(1, (ulong)number), (ushort)number, IpAddress.FromV6(2, (ulong)number), 80, 17);
        return new FlowEntry { Key = key, Hash = s_hash.Of(in key), State = FlowState.Udp };
    }

    private static FlowEntry Entry(int flow, bool forward)
    {
        IpAddress client = flow % 3 == 0 ? IpAddress.FromV6(1, (ulong)flow) : IpAddress.FromV4(0x0A000000 + (uint)flow);
        IpAddress server = flow % 3 == 0 ? IpAddress.FromV6(2, 2) : IpAddress.FromV4(0x0B000000);
        FlowKey key = forward ? FlowKey.Create(client, 1000, server, 80, 6) : FlowKey.Create(server, 80, client, 1000, 6);

        // Half of the flows crowd into few buckets and tags, with the tag that stands for zero among them.
        uint hash = flow % 2 == 0 ? s_hash.Of(in key) : ((uint)(flow % 5 / 2) << 16) | (uint)(flow % 2);
        return new FlowEntry { Key = key, Hash = hash, State = s_states[flow % s_states.Length] };
    }

    private sealed class Model
    {
        private readonly FlowTable _table = new(32);
        private readonly Dictionary<int, (FlowState State, long Seen)> _flows = [];
        private long _nowNs = 1_000_000_000;
        private long _expired;

        public void Do(int operation)
        {
            int flow = operation / 8 % Flows;
            switch (operation % 8)
            {
                case 0 or 1 or 2 or 3:
                    Insert(flow);
                    break;
                case 4:
                    Remove(flow, retire: false);
                    break;
                case 5:
                    Remove(flow, retire: true);
                    break;
                case 6:
                    _nowNs += (operation / 512 % 200) * 1_000_000_000L;
                    break;
                default:
                    Sweep();
                    break;
            }

            Check();
        }

        private void Insert(int flow)
        {
            if (_flows.TryGetValue(flow, out (FlowState State, long Seen) before))
            {
                // A packet of the flow: seen now.
                Index(flow, forward: flow % 2 == 0, out int known);
                _table[known].LastSeen = FlowTable.Ticks(_nowNs);
                _flows[flow] = (before.State, _nowNs);
                return;
            }

            FlowEntry forward = Entry(flow, forward: true), reverse = Entry(flow, forward: false);
            int count = _table.Count;
            long evicted = _table.Evicted;
            int index = _table.InsertPair(in forward, in reverse, _nowNs);
            int[] gone = [.. _flows.Keys.Where(other => !Index(other, forward: true, out _))];
            Assert.Equal(_table.Evicted - evicted, gone.Length);
            foreach (int other in gone)
            {
                Assert.NotEqual(FlowState.TcpEstablished, _flows[other].State);
                _flows.Remove(other);
            }

            if (index >= 0)
            {
                Assert.True(_table[index].IsForward && !_table[_table[index].Peer].IsForward && _table[_table[index].Peer].Peer == index);
                _flows.Add(flow, (forward.State, _nowNs));
            }
            else
            {
                // Refused: only when there is no free pair or no free place, never for a table with room and few flows.
                Assert.True(count >= 8, $"refused with {count} entries in use");
            }
        }

        private void Remove(int flow, bool retire)
        {
            if (!Index(flow, forward: flow % 2 == 1, out int index))
            {
                return;
            }

            int count = _table.Count;
            if (retire)
            {
                int peer = _table[index].Peer;
                FlowKey key = _table[index].Key;
                _table.RetirePair(index);
                Assert.Equal(count, _table.Count);
                Assert.True(_table[index].Key.Equals(in key) && _table[index].Peer == peer, "the entries of a retired flow must stay as they are");
                _table.ReleaseRetired();
            }
            else
            {
                _table.RemovePair(index);
            }

            Assert.Equal(count - 2, _table.Count);
            _flows.Remove(flow);
        }

        private void Sweep()
        {
            _table.Sweep(_table.Capacity, _nowNs);
            foreach (int flow in _flows.Keys.ToArray())
            {
                double share = IdleShare(flow);
                if (!Index(flow, forward: true, out _))
                {
                    Assert.True(share > 0.99, $"flow {flow} expired after {share:P0} of its time");
                    _flows.Remove(flow);
                    _expired++;
                }
                else
                {
                    Assert.True(share < 1.01, $"flow {flow} was kept for {share:P0} of its time");
                }
            }

            Assert.Equal(_expired, _table.Expired);
        }

        private double IdleShare(int flow) =>
            (double)(FlowTable.Ticks(_nowNs) - FlowTable.Ticks(_flows[flow].Seen)) / FlowTimeouts.Default[_flows[flow].State];

        private bool Index(int flow, bool forward, out int index)
        {
            FlowEntry entry = Entry(flow, forward);
            index = _table.Find(in entry.Key, entry.Hash);
            return index >= 0;
        }

        private void Check()
        {
            Assert.Equal(_flows.Count * 2, _table.Count);
            for (int flow = 0; flow < Flows; flow++)
            {
                bool expected = _flows.ContainsKey(flow);
                Assert.Equal(expected, Index(flow, forward: true, out int forward));
                Assert.Equal(expected, Index(flow, forward: false, out int reverse));
                Assert.True(!expected || (_table[forward].Peer == reverse && _table[reverse].Peer == forward));
            }
        }
    }
}
