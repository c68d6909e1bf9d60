using Dataplane.Native;

namespace Dataplane.Filtering;

internal sealed partial class PrefixMap
{
    /// <summary>Builds the trie in one pass over the prefixes in order.</summary>
    private ref struct Builder
    {
        private const int Fanout = PrefixTable.Fanout;

        private readonly ReadOnlySpan<PrefixKey> _prefixes;
        private readonly int[] _parents;
        private readonly int[] _constantNodes;

        // Intervals of the nodes under construction, the innermost last: where each starts and what it leads to.
        private (int Start, uint Target)[] _open = new (int, uint)[64];
        private int _openCount;

        private ushort[] _lasts;
        private uint[] _targets;
        private int _nodes;

        // By the first 16 bits: a node, if only of one interval.
        private readonly int[] _root;

        public Builder(ReadOnlySpan<PrefixKey> prefixes, int[] parents)
        {
            _prefixes = prefixes;
            _parents = parents;
            _constantNodes = new int[parents.Length];
            Array.Fill(_constantNodes, -1);
            int capacity = Fanout * (16 + (2 * prefixes.Length));
            _lasts = new ushort[capacity];
            _targets = new uint[capacity];
            _root = new int[1 << 16];
            FillRoot();
        }

        /// <summary>The trie.</summary>
        public readonly PrefixTable Table() => new(_root, _lasts, _targets, _nodes, _parents.Length);

        private void FillRoot()
        {
            Intervals(0, _prefixes.Length, 0, 0);
            for (int i = 0; i < _openCount; i++)
            {
                (int start, uint target) = _open[i];
                int end = i + 1 < _openCount ? _open[i + 1].Start : 1 << 16;
                _root.AsSpan(start, end - start).Fill((target & PrefixTable.NodeFlag) != 0
                    ? (int)(target & PrefixTable.NumberMask) : ConstantNode((int)target));
            }
        }

        private int ConstantNode(int @class)
        {
            if (_constantNodes[@class] < 0)
            {
                _constantNodes[@class] = NewNode([(0, (uint)@class)]);
            }

            return _constantNodes[@class];
        }

        /// <summary>Opens the intervals into which prefixes cut the 16 bits of a level; all of them are longer than the levels above.</summary>
        /// <param name="from">Number of the first prefix.</param>
        /// <param name="to">Number behind the last.</param>
        /// <param name="level">The level.</param>
        /// <param name="outer">Class of what none of them holds.</param>
        private void Intervals(int from, int to, int level, int outer)
        {
            int bottom = _openCount, bits = 16 * (level + 1), current = outer;
            Open(bottom, 0, (uint)outer);
            for (int i = from; i < to;)
            {
                int value = _prefixes[i].Chunk(level);
                current = Close(bottom, current, outer, value, bits);
                if (_prefixes[i].Length <= bits)
                {
                    current = ++i;
                    Open(bottom, value, (uint)current);
                    continue;
                }

                int end = i + 1;
                while (end < to && _prefixes[end].Chunk(level) == value)
                {
                    end++;
                }

                Open(bottom, value, Child(i, end, level + 1, current));
                if (value < ushort.MaxValue)
                {
                    Open(bottom, value + 1, (uint)current);
                }

                i = end;
            }

            Close(bottom, current, outer, 1 << 16, bits);
        }

        /// <summary>Ends the intervals of prefixes that lie before a value.</summary>
        private int Close(int bottom, int current, int outer, int value, int bits)
        {
            while (current != outer)
            {
                PrefixKey prefix = _prefixes[current - 1];
                int end = (prefix.Chunk((bits / 16) - 1) | ((1 << (bits - prefix.Length)) - 1)) + 1;
                if (end > value)
                {
                    break;
                }

                current = _parents[current];
                if (end <= ushort.MaxValue)
                {
                    Open(bottom, end, (uint)current);
                }
            }

            return current;
        }

        private void Open(int bottom, int start, uint target)
        {
            if (_openCount > bottom && _open[_openCount - 1].Start == start)
            {
                _open[_openCount - 1].Target = target;
                return;
            }

            if (_openCount == _open.Length)
            {
                Array.Resize(ref _open, 2 * _openCount);
            }

            _open[_openCount++] = (start, target);
        }

        private uint Child(int from, int to, int level, int outer)
        {
            int bottom = _openCount;
            Intervals(from, to, level, outer);
            Span<(int Start, uint Target)> intervals = _open.AsSpan(bottom.._openCount);
            while (intervals.Length > Fanout)
            {
                int groups = (intervals.Length + Fanout - 1) / Fanout;
                for (int group = 0; group < groups; group++)
                {
                    Span<(int Start, uint Target)> members = intervals[(group * intervals.Length / groups)..((group + 1) * intervals.Length / groups)];
                    intervals[group] = (members[0].Start, PrefixTable.NodeFlag | (uint)NewNode(members));
                }

                intervals = intervals[..groups];
            }

            uint child = PrefixTable.NodeFlag | PrefixTable.NextLevelFlag | (uint)NewNode(intervals);
            _openCount = bottom;
            return child;
        }

        private int NewNode(scoped ReadOnlySpan<(int Start, uint Target)> intervals)
        {
            int first = _nodes * Fanout;
            if (first + Fanout > _lasts.Length)
            {
                Array.Resize(ref _lasts, 2 * _lasts.Length);
                Array.Resize(ref _targets, 2 * _targets.Length);
            }

            // No value is above the last of those that are not there; what they lead to is never looked at.
            _targets.AsSpan(first, Fanout).Fill(intervals[^1].Target);
            _lasts.AsSpan(first, Fanout).Fill(ushort.MaxValue);
            for (int i = 0; i < intervals.Length; i++)
            {
                _targets[first + i] = intervals[i].Target;
                if (i + 1 < intervals.Length)
                {
                    _lasts[first + i] = (ushort)(intervals[i + 1].Start - 1);
                }
            }

            return _nodes++;
        }
    }
}
