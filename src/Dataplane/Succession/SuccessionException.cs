namespace Dataplane.Succession;

/// <summary>A hand-over that cannot go on: the other process is gone, or says what it must not.</summary>
internal sealed class SuccessionException : IOException
{
    public SuccessionException(string message)
        : base($"hand-over: {message}")
    {
    }
}
