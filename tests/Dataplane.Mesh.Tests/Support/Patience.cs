namespace Dataplane.Mesh.Tests.Support;

/// <summary>Waits for what must come, however busy the machine is; no test asserts a time.</summary>
internal static class Patience
{
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    internal static async Task UntilAsync(Func<bool> condition, string what)
    {
        long begun = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < Limit, $"this did not come about: {what}");
            await Task.Delay(5);
        }
    }
}
