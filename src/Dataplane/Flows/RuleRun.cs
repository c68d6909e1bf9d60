using System.Runtime.CompilerServices;
using Dataplane.Filtering;

namespace Dataplane.Flows;

/// <summary>Counts packets that passed by one rule one after the other, once for all of them.</summary>
/// <param name="filter">The rules.</param>
internal ref struct RuleRun(FilterProgram filter)
{
    private int _rule = FilterProgram.NoRule;
    private long _packets, _bytes;

    /// <summary>A packet that passed by a rule, of so many bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    public void Add(int rule, int bytes)
    {
        if (rule != _rule)
        {
            End();
            (_rule, _packets, _bytes) = (rule, 0, 0);
        }

        _packets++;
        _bytes += bytes;
    }

    /// <summary>Counts what has not been counted yet; behind the last packet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // A call would keep it all in memory.
    public readonly void End()
    {
        if (_packets > 0 && !filter.IsEmpty)
        {
            filter.CounterOf(_rule).Add(_packets, _bytes);
        }
    }
}
