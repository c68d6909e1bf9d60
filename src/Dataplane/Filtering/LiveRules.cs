using System.Numerics;
using Dataplane.Packets;

namespace Dataplane.Filtering;

/// <summary>Which rules of a <see cref="RuleClassifier"/> are in force, and what their numbers are now. Immutable; made anew for every change.</summary>
internal sealed class LiveRules
{
    // In place of the number of a rule that is not in force; below all others, so that nothing moves it.
    private const int Gone = -1;

    private readonly RuleClassifier _classifier;
    private readonly CacheLineArray<ulong> _bits;

    private LiveRules(RuleClassifier classifier, CacheLineArray<ulong> bits, int[] numbers)
    {
        _classifier = classifier;
        _bits = bits;
        Numbers = numbers;
    }

    /// <summary>A bit by slot.</summary>
    public ReadOnlySpan<ulong> Bits => _bits.Elements.AsSpan(_bits.Start, Words);

    /// <summary>By slot: the number of the rule; of no meaning where it is not in force.</summary>
    public int[] Numbers { get; }

    private int Words => _classifier.Words;

    /// <inheritdoc cref="RuleClassifier.Find(LiveRules, in FilterInput, ReadOnlySpan{byte}, bool, Span{int})"/>
    public void Find(in FilterInput batch, ReadOnlySpan<byte> picks, bool isV4, Span<int> rules) => _classifier.Find(this, in batch, picks, isV4, rules);

    /// <inheritdoc cref="RuleClassifier.Find(LiveRules, in FlowKey, uint, int)"/>
    public int Find(in FlowKey key, uint word, int after) => _classifier.Find(this, in key, word, after);

    /// <inheritdoc cref="RuleClassifier.TryFindAllV4"/>
    public bool TryFindAllV4(ReadOnlySpan<ParsedFrame> frames, byte port, Span<int> rules) =>
        _classifier.TryFindAllV4(this, frames, port, rules);

    /// <summary>Bytes of what lookups read.</summary>
    public long SizeBytes => _classifier.SizeBytes;

    /// <summary>All rules of a classifier, with the numbers it was built with.</summary>
    public static LiveRules All(RuleClassifier classifier)
    {
        var bits = new CacheLineArray<ulong>(classifier.Words);
        for (int slot = 0; slot < classifier.Numbers.Length; slot++)
        {
            bits.Elements[bits.Start + (slot / 64)] |= classifier.Numbers[slot] < 0 ? 0 : 1UL << slot;
        }

        // There is a number for every bit of a row.
        int[] numbers = new int[64 * classifier.Words];
        Array.Fill(numbers, Gone);
        classifier.Numbers.CopyTo(numbers, 0);
        return new LiveRules(classifier, bits, numbers);
    }

    /// <summary>The same rules after changes in the order of all rules; none that come in are among them.</summary>
    public LiveRules After(IReadOnlyList<RuleEdit> edits)
    {
        int[] numbers = [.. Numbers];
        CacheLineArray<ulong> bits = _bits;
        foreach (RuleEdit edit in edits)
        {
            for (int gone = edit.IsInsert ? -1 : numbers.AsSpan().IndexOf(edit.Number); gone >= 0; gone = numbers.AsSpan().IndexOf(edit.Number))
            {
                if (bits.Elements == _bits.Elements)
                {
                    bits = new CacheLineArray<ulong>(Words);
                    Bits.CopyTo(bits.Elements.AsSpan(bits.Start));
                }

                bits.Elements[bits.Start + (gone / 64)] &= ~(1UL << gone);
                numbers[gone] = Gone;
            }

            Move(numbers, edit.Number, edit.IsInsert ? 1 : -1);
        }

        return new LiveRules(_classifier, bits, numbers);
    }

    /// <summary>Adds to all numbers from one on.</summary>
    private static void Move(Span<int> numbers, int from, int by)
    {
        Vector<int> below = new(from - 1), step = new(by);
        int slot = 0;
        for (; slot <= numbers.Length - Vector<int>.Count; slot += Vector<int>.Count)
        {
            var some = new Vector<int>(numbers[slot..]);
            (some + (Vector.GreaterThan(some, below) & step)).CopyTo(numbers[slot..]);
        }

        for (; slot < numbers.Length; slot++)
        {
            numbers[slot] += numbers[slot] >= from ? by : 0;
        }
    }
}
