using System.Collections;
using System.Runtime.CompilerServices;

namespace Dataplane.Pipeline;

/// <summary>A list of CPU numbers that is equal to another with the same numbers, so that a reload finds settings unchanged. Immutable.</summary>
[CollectionBuilder(typeof(CpuList), nameof(Create))]
public sealed class CpuList : IReadOnlyList<int>, IEquatable<CpuList>
{
    private readonly int[] _cpus;

    private CpuList(int[] cpus) => _cpus = cpus;

    /// <summary>No CPUs.</summary>
    public static CpuList Empty { get; } = new([]);

    /// <inheritdoc/>
    public int Count => _cpus.Length;

    /// <inheritdoc/>
    public int this[int index] => _cpus[index];

    /// <summary>Makes a list of a copy of the numbers.</summary>
    public static CpuList Create(ReadOnlySpan<int> cpus) => cpus.IsEmpty ? Empty : new CpuList(cpus.ToArray());

    /// <inheritdoc/>
    public bool Equals(CpuList? other) => other is not null && _cpus.AsSpan().SequenceEqual(other._cpus);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as CpuList);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (int cpu in _cpus)
        {
            hash.Add(cpu);
        }

        return hash.ToHashCode();
    }

    /// <summary>The numbers, separated by commas.</summary>
    public override string ToString() => string.Join(", ", _cpus);

    /// <inheritdoc/>
    public IEnumerator<int> GetEnumerator() => ((IEnumerable<int>)_cpus).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
