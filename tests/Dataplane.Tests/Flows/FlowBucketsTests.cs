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
}
