using Dataplane.Ports;

namespace Dataplane.Tests.Support;

/// <summary>Counts wakes.</summary>
internal sealed class CountingWaker : IPortWaker
{
    private int _count;

    internal int Count => Volatile.Read(ref _count);

    public void Wake() => Interlocked.Increment(ref _count);
}
