namespace Dataplane.Names;

/// <summary>Responses that say no more than a response code.</summary>
internal static class NameErrors
{
    /// <summary>Writes one for a query.</summary>
    public static NameResponse Respond(ReadOnlySpan<byte> message, Span<byte> target, int rcode)
    {
        NameQuery.Read(message, out NameQuery query);
        return new ResponseWriter(target, message, in query, isRecursive: true).Finish(rcode);
    }
}
