using Dataplane.Flows;

namespace Dataplane.Tests.Flows;

/// <summary>What lies in two buckets is found once, whatever the hash.</summary>
public sealed class FlowBucketsTests
{
    /// <summary>Every tag, in tables of every size in which a multiple of a tag can be one of the number of buckets.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(16)]
    [InlineData(256)]
    [InlineData(16_384)]
    public void Next_EveryTagInFullBuckets_GoesThroughEachEntryOnce(int buckets)
    {
        Span<int> seen = stackalloc int[FlowBuckets.MostListed + 1];
        int step = buckets > 256 ? 1024 : 256;
        for (uint tag = (uint)step; tag <= ushort.MaxValue; tag += (uint)step)
        {
            var table = new FlowBuckets(buckets);
            uint hash = tag << 16 | (uint)(buckets - 1);
            int added = 0;
            while (added < FlowBuckets.MostListed && table.Add(hash, added))
                added++;
            Assert.True(added == FlowBuckets.MostListed, $"{added} of {FlowBuckets.MostListed} places, tag {tag}");

            int count = 0;
            for (int index = table.Next(hash, FlowBuckets.None); index >= 0 && count < seen.Length; index = table.Next(hash, index))
                seen[count++] = index;
            Assert.Equal(added, count);
            Assert.Equal(Enumerable.Range(0, added), seen[..count].ToArray().Order());
        }
    }

    /// <summary>Entries are moved to make room for others until nothing can be moved any more: in tables so small that ways to a free place are long and meet.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    [InlineData(64)]
    public void Add_UntilThereIsNoRoom_LeavesEveryEntryWhereItIsFound(int buckets)
    {
        long added = 0, places = 0;
        for (int seed = 1; seed <= 200; seed++)
        {
            var (random, table, hashes) = (new Random(seed), new FlowBuckets(buckets), new List<uint>());
            for (uint hash = (uint)random.NextInt64(1L << 32); table.Add(hash, hashes.Count); hash = (uint)random.NextInt64(1L << 32))
            {
                hashes.Add(hash);
            }

            Assert.All(hashes.Select((hash, index) => (hash, index)), entry => Assert.Contains(entry.index, Found(table, entry.hash)));
            for (int index = 0; index < hashes.Count; index++)
            {
                table.Remove(hashes[index], index);
                Assert.DoesNotContain(index, Found(table, hashes[index]));
            }

            (added, places) = (added + hashes.Count, places + table.Places);
        }

        Assert.True(added > places * 0.9, $"{added} of {places} places");
    }

    private static IEnumerable<int> Found(FlowBuckets table, uint hash)
    {
        for (int index = table.Next(hash, FlowBuckets.None); index >= 0; index = table.Next(hash, index))
        {
            yield return index;
        }
    }
}
